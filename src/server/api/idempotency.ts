import type { Digest } from '../../codec/index.ts';
import { problem } from './problem.ts';

export interface KeyedRequest {
  /** Keys of different callers have nothing to do with each other. */
  readonly caller: string;
  readonly key: string;
  /** Method and path. */
  readonly about: string;
  /** Of the body. */
  readonly digest: Digest;
}

interface Remembered {
  readonly about: string;
  readonly digest: Digest;
  /** Undefined while the first request is being answered. */
  answer:
    | { readonly status: number; readonly headers: [string, string][]; readonly body: ArrayBuffer }
    | undefined;
}

const KEY = /^[\x21-\x7e]{1,255}$/;
const MAX_REMEMBERED = 4096;
const MAX_BODY_BYTES = 1024 * 1024;

/**
 * Answers a request that is sent again as the first one was answered (draft-ietf-httpapi-idempotency-key-header). In memory,
 * the newest few thousand: after a restart a repetition is a new request.
 */
export class Idempotency {
  readonly #remembered = new Map<string, Remembered>();

  async run(request: KeyedRequest, answer: () => Promise<Response>): Promise<Response> {
    const { caller, key, about, digest } = request;
    if (!KEY.test(key)) return problem(400, 'The Idempotency-Key is not 1 to 255 printable characters.');
    const name = JSON.stringify([caller, key]);
    const known = this.#remembered.get(name);
    if (known !== undefined) {
      if (known.about !== about || known.digest !== digest) {
        return problem(422, 'This Idempotency-Key was used for another request.');
      }
      if (known.answer === undefined)
        return problem(409, 'The first request with this key is being answered.');
      const { status, headers, body } = known.answer;
      return new Response(body, { status, headers: [...headers, ['idempotent-replayed', 'true']] });
    }
    const entry: Remembered = { about, digest, answer: undefined };
    this.#remembered.set(name, entry);
    this.#forgetOldest();
    try {
      const response = await answer();
      const body = await response.clone().arrayBuffer();
      if (body.byteLength > MAX_BODY_BYTES) this.#remembered.delete(name);
      else entry.answer = { status: response.status, headers: [...response.headers], body };
      return response;
    } catch (error) {
      this.#remembered.delete(name);
      throw error;
    }
  }

  /** What is being answered is not forgotten: it would be done twice. */
  #forgetOldest(): void {
    for (const [name, { answer }] of this.#remembered) {
      if (this.#remembered.size <= MAX_REMEMBERED) return;
      if (answer !== undefined) this.#remembered.delete(name);
    }
  }
}
