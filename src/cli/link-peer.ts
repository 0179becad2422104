import { isJsonObject, type JsonObject, type JsonValue, parseJsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import type { OpenLink } from '../enforce/mcp/index.ts';

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Why a server's tools cannot be listed, as the end of a sentence. */
export class PeerFailure extends Error {}

/** One MCP server over a transport that answers each request on its own, and the requests that await their answers. */
export class LinkPeer {
  readonly #link: ReturnType<OpenLink>;
  readonly #waiting = new Map<number, (answer: JsonObject) => void>();
  readonly #failed: Promise<never>;
  readonly #timer: NodeJS.Timeout;
  #fail: (reason: PeerFailure) => void = () => undefined;
  #nextId = 1;

  constructor(open: OpenLink, timeoutMs: number) {
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => undefined);
    this.#timer = setTimeout(
      () => this.#fail(new PeerFailure(`did not answer within ${Math.round(timeoutMs / 1000)} s`)),
      timeoutMs,
    );
    this.#link = open({
      onLine: (line) => this.#take(line),
      onLost: () => this.#fail(new PeerFailure('cannot be reached')),
      onGone: () => this.#fail(new PeerFailure('ended before it listed its tools')),
    });
  }

  async request(method: string, params: JsonObject): Promise<{ result?: JsonValue; error?: JsonValue }> {
    const id = this.#nextId;
    this.#nextId += 1;
    const answer = new Promise<JsonObject>((resolve) => this.#waiting.set(id, resolve));
    this.send({ jsonrpc: '2.0', id, method, params });
    const { result, error } = await Promise.race([answer, this.#failed]);
    return { ...(result === undefined ? {} : { result }), ...(error === undefined ? {} : { error }) };
  }

  send(message: JsonObject): void {
    this.#link.send(Buffer.from(`${JSON.stringify(message)}\n`));
  }

  lastWords(): string {
    return '';
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#link.stop();
  }

  #take(line: Buffer): void {
    const message = parseJsonObject(line, 'request.malformed', { maxBytes: MAX_MESSAGE_BYTES });
    if (isDenial(message) || !isJsonObject(message) || typeof message.method === 'string') return;
    const { id } = message;
    if (typeof id !== 'number') return;
    this.#waiting.get(id)?.(message);
    this.#waiting.delete(id);
  }
}
