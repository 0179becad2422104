import { type ClientOptions, WebSocket } from 'ws';
import type { JsonObject } from '../../src/codec/index.ts';

const PROTOCOL = 'writ.session.v1';

/** A session's WebSocket as an enforcement point that keeps no rules would use it. */
export class TestSession {
  readonly received: JsonObject[] = [];
  /** Close code. */
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;
  readonly #waiting = new Set<() => void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      this.received.push(...(JSON.parse(String(data)) as JsonObject[]));
      for (const look of this.#waiting) look();
    });
    this.closed = new Promise((resolve) => socket.once('close', (code) => resolve(code)));
  }

  /** @returns the status where no session is to be had. */
  static connect(
    url: string,
    options: ClientOptions = {},
    protocol = PROTOCOL,
  ): Promise<TestSession | number> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, protocol, { perMessageDeflate: false, ...options });
      socket.on('unexpected-response', (_request, { statusCode = 0 }) => {
        resolve(statusCode);
        socket.terminate();
      });
      socket.on('error', reject);
      socket.once('open', () => resolve(new TestSession(socket)));
    });
  }

  /** @param frame sent as it is where it is text or bytes. */
  send(...frame: readonly (JsonObject | string | Buffer)[]): void {
    const [only] = frame;
    if (typeof only === 'string' || only instanceof Buffer) this.#socket.send(only);
    else this.#socket.send(JSON.stringify(frame));
  }

  /** The beginning of a frame that never ends. */
  sendPart(text: string): void {
    this.#socket.send(text, { fin: false });
  }

  /** The answer to a request. */
  ask(request: JsonObject & { readonly id: number }): Promise<JsonObject> {
    const answer = this.next(({ id }) => id === request.id);
    this.send(request);
    return answer;
  }

  next(matches: (message: JsonObject) => boolean): Promise<JsonObject> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.received.find(matches);
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
      void this.closed.then((code) => reject(new Error(`closed with ${code}`)));
    });
  }

  close(): void {
    this.#socket.terminate();
  }
}
