import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../../codec/index.ts';
import { encodeRequest } from './answer.ts';
import type { RequestId, ResponseMessage } from './message.ts';

/** How an own request ended without an answer. */
export type Unanswered = 'timeout' | 'closed';

interface OwnRequest {
  readonly resolve: (answer: ResponseMessage | Unanswered) => void;
  readonly timer: NodeJS.Timeout | undefined;
}

/**
 * Requests the gateway itself makes of the upstream. Their ids start with a prefix nobody can guess, so they never
 * collide with the client's; answers to them never reach the client.
 */
export class OwnRequests {
  readonly #prefix = `writ-${randomBytes(16).toString('base64url')}-`;
  readonly #open = new Map<RequestId, OwnRequest>();
  readonly #toUpstream: (bytes: Buffer) => void;
  #count = 0;
  #closed = false;

  constructor(toUpstream: (bytes: Buffer) => void) {
    this.#toUpstream = toUpstream;
  }

  isOwn(id: unknown): boolean {
    return typeof id === 'string' && id.startsWith(this.#prefix);
  }

  /** @param timeoutMs undefined waits until the session closes. */
  send(
    method: string,
    params: JsonObject,
    timeoutMs: number | undefined,
  ): { id: RequestId; answer: Promise<ResponseMessage | Unanswered> } {
    this.#count += 1;
    const id = `${this.#prefix}${this.#count}`;
    if (this.#closed) return { id, answer: Promise.resolve('closed') };
    const answer = new Promise<ResponseMessage | Unanswered>((resolve) => {
      const timer =
        timeoutMs === undefined ? undefined : setTimeout(() => this.#settle(id, 'timeout'), timeoutMs);
      timer?.unref();
      this.#open.set(id, { resolve, timer });
      this.#toUpstream(encodeRequest(id, method, params));
    });
    return { id, answer };
  }

  /** Takes the answer to an own request; false where none is open under its id. */
  take(response: ResponseMessage): boolean {
    return this.#settle(response.id, response);
  }

  close(): void {
    this.#closed = true;
    for (const id of [...this.#open.keys()]) this.#settle(id, 'closed');
  }

  #settle(id: RequestId, answer: ResponseMessage | Unanswered): boolean {
    const request = this.#open.get(id);
    if (request === undefined) return false;
    this.#open.delete(id);
    clearTimeout(request.timer);
    request.resolve(answer);
    return true;
  }
}
