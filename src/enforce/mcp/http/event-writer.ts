import type { ServerResponse } from 'node:http';

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'X-Accel-Buffering': 'no',
};

/** Of what a client does not take: then it is cut off, and memory is not held for it. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;
const KEEP_ALIVE_MS = 15_000;
const COMMENT = ':\n\n';

/** Writes Server-Sent Events to one response (WHATWG HTML, 9.2). */
export class EventWriter {
  readonly #response: ServerResponse;
  readonly #timer: NodeJS.Timeout;

  constructor(response: ServerResponse, headers: Readonly<Record<string, string>> = {}) {
    this.#response = response;
    response.writeHead(200, { ...HEADERS, ...headers });
    response.flushHeaders();
    this.#timer = setInterval(() => this.#write(COMMENT), KEEP_ALIVE_MS).unref();
    response.once('close', () => clearInterval(this.#timer));
  }

  get isOpen(): boolean {
    return !this.#response.destroyed && !this.#response.writableEnded;
  }

  /** @param data one line, its newline included or not. */
  event(data: Buffer | string, id?: string): void {
    const head = id === undefined ? 'data: ' : `id: ${id}\ndata: `;
    const text = typeof data === 'string' ? Buffer.from(data) : withoutLineEnd(data);
    this.#write(Buffer.concat([Buffer.from(head), text, Buffer.from('\n\n')]));
  }

  /** Tells the client from where to go on when the connection breaks, and when to try. */
  prime(id: string, retryMs: number): void {
    this.#write(`id: ${id}\nretry: ${retryMs}\ndata: \n\n`);
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.isOpen) this.#response.end();
  }

  #write(bytes: Buffer | string): void {
    if (!this.isOpen) return;
    if (this.#response.writableLength > MAX_BACKLOG_BYTES) this.#response.destroy();
    else this.#response.write(bytes);
  }
}

function withoutLineEnd(line: Buffer): Buffer {
  let end = line.byteLength;
  while (end > 0 && (line[end - 1] === 0x0a || line[end - 1] === 0x0d)) end -= 1;
  return line.subarray(0, end);
}
