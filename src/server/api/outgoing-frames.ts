import type { WebSocket } from 'ws';

/** What a reader may leave unread before it is given up: it would not be told in time, either. */
const MAX_BACKLOG_BYTES = 8 * 1024 * 1024;
/** Reasons of a close frame have at most 123 bytes (RFC 6455 §5.5). */
const MAX_REASON = 100;

/** Writes what is said in one turn of the event loop as one frame, an array. */
export class OutgoingFrames {
  readonly #socket: WebSocket;
  #waiting: string[] = [];

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  send(message: object): void {
    this.#waiting.push(JSON.stringify(message));
    if (this.#waiting.length === 1) process.nextTick(() => this.#flush());
  }

  close(code: number, reason: string): void {
    this.#flush();
    this.#socket.close(code, reason.slice(0, MAX_REASON).replaceAll(/[^ -~]/g, '?'));
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    const frame = `[${this.#waiting.join(',')}]`;
    this.#waiting = [];
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_BACKLOG_BYTES) this.#socket.terminate();
    else this.#socket.send(frame);
  }
}
