import type { JsonObject } from '../../codec/index.ts';

/** What a reader may leave unread before it is given up: it would not be told in time, either. */
const MAX_BACKLOG_BYTES = 8 * 1024 * 1024;

/** A response of server-sent events (HTML Living Standard, 9.2), written by whoever has something to tell. */
export class EventStream {
  readonly #body: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #onEnd: (() => void) | undefined;
  #ended = false;

  constructor() {
    this.#body = new ReadableStream(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#conclude(),
      },
      { highWaterMark: MAX_BACKLOG_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  }

  /** @param id lets a reader resume after it (`Last-Event-ID`). */
  send(event: string, data: JsonObject, id?: string): void {
    const name = id === undefined ? '' : `id: ${id}\n`;
    this.#write(`${name}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Whether the reader keeps up well enough for more. */
  get hasRoom(): boolean {
    return !this.#ended && (this.#controller?.desiredSize ?? 0) > MAX_BACKLOG_BYTES / 2;
  }

  comment(): void {
    this.#write(':\n\n');
  }

  /** Called once, when the reader is gone or the stream was ended. */
  onEnd(listener: () => void): void {
    this.#onEnd = listener;
    if (this.#ended) listener();
  }

  end(): void {
    if (this.#ended) return;
    this.#controller?.close();
    this.#conclude();
  }

  response(): Response {
    return new Response(this.#body, {
      headers: {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      },
    });
  }

  #write(text: string): void {
    if (this.#ended || this.#controller === undefined) return;
    this.#controller.enqueue(Buffer.from(text));
    if ((this.#controller.desiredSize ?? 0) <= 0) {
      this.#controller.error(new Error('the reader does not keep up'));
      this.#conclude();
    }
  }

  #conclude(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd?.();
  }
}
