import { Agent, type IncomingMessage, request } from 'node:http';
import { type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { type Denial, isDenial } from '../../denial/index.ts';
import type { Home } from '../home.ts';
import type { DaemonAnswer } from './daemon-answer.ts';
import { type ChannelListener, DaemonChannel } from './daemon-channel.ts';
import { DaemonFailed, unreachable } from './daemon-error.ts';
import { readDaemonFile } from './daemon-file.ts';

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const ANSWER_TIMEOUT_MS = 30_000;

/** HTTP over the daemon's Unix socket, on connections that are kept, and the channels of sessions. */
export class DaemonLink {
  readonly #socketPath: string;
  readonly #answerTimeoutMs: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 128 });

  /** @param answerTimeoutMs how long an answer is waited for. */
  constructor(socketPath: string, answerTimeoutMs = ANSWER_TIMEOUT_MS) {
    this.#socketPath = socketPath;
    this.#answerTimeoutMs = answerTimeoutMs;
  }

  /**
   * @throws DaemonAbsent where nothing listens, so that nothing can have been done; DaemonFailed where it may have been.
   */
  async send(method: string, path: string, body?: JsonObject): Promise<DaemonAnswer> {
    const response = await this.#open(method, path, body);
    const chunks: Buffer[] = [];
    let length = 0;
    try {
      for await (const chunk of response) {
        if (!(chunk instanceof Buffer)) throw new DaemonFailed('the daemon sent text where bytes were due');
        length += chunk.byteLength;
        if (length > MAX_ANSWER_BYTES) throw new DaemonFailed('the daemon sent too long an answer');
        chunks.push(chunk);
      }
    } catch (error) {
      response.destroy();
      throw error instanceof DaemonFailed ? error : new DaemonFailed('the daemon broke off its answer');
    }
    const json = parseJsonObject(Buffer.concat(chunks), 'request.malformed', { maxBytes: MAX_ANSWER_BYTES });
    if (isDenial(json)) throw new DaemonFailed(`the daemon answered with what is ${json.detail}`);
    return { status: response.statusCode ?? 0, body: json };
  }

  #open(method: string, path: string, body?: JsonObject): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const outgoing = request({
        agent: this.#agent,
        socketPath: this.#socketPath,
        method,
        path,
        signal: AbortSignal.timeout(this.#answerTimeoutMs),
        headers: {
          host: 'writ',
          ...(bytes && { 'content-type': 'application/json', 'content-length': bytes.byteLength }),
        },
      });
      outgoing.once('response', resolve);
      outgoing.once('error', (error) => reject(unreachable(this.#socketPath, error)));
      outgoing.end(bytes);
    });
  }

  /** A session's connection, open. @throws as `send`. */
  openChannel(path: string, listener: ChannelListener): Promise<DaemonChannel> {
    return DaemonChannel.open(this.#socketPath, path, listener, this.#answerTimeoutMs);
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** A link to the daemon that a home names; undefined where it names none, which does not say that one named runs. */
export function linkToDaemon(home: Home): DaemonLink | Denial | undefined {
  const address = readDaemonFile(home);
  return address === undefined || isDenial(address) ? address : new DaemonLink(address.socket);
}
