import type { IncomingMessage } from 'node:http';

/** Bytes of bodies that are being read, over all requests: a bound that many slow senders share. */
export class BodyBudget {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export type Body = Buffer | 'too long' | 'overloaded' | 'aborted';

/** Reads a request's body within its own bound and the one that all share. */
export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
  budget: BodyBudget,
): Promise<Body> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return 'too long';
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      if (!(chunk instanceof Buffer)) return 'aborted';
      if (length + chunk.byteLength > maxBytes) return 'too long';
      if (!budget.take(chunk.byteLength)) return 'overloaded';
      length += chunk.byteLength;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch {
    return 'aborted';
  } finally {
    budget.give(length);
  }
}
