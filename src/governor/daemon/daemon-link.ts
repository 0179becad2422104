import { Agent, type IncomingMessage, request } from 'node:http';
import { type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial, isReasonCode } from '../../denial/index.ts';
import type { Home } from '../home.ts';
import { readDaemonFile } from './daemon-file.ts';

/** No daemon listens there: it was never started, or is gone. */
export class DaemonAbsent extends Error {}

/** The daemon was reached, or should have been, and no whole answer came. */
export class DaemonFailed extends Error {}

export interface DaemonAnswer {
  readonly status: number;
  readonly body: JsonObject;
}

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const ANSWER_TIMEOUT_MS = 30_000;
const ABSENT = new Set(['ENOENT', 'ECONNREFUSED']);

/** HTTP over the daemon's Unix socket, on connections that are kept. */
export class DaemonLink {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 128 });

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /**
   * @throws DaemonAbsent where nothing listens, so that nothing can have been done; DaemonFailed where it may have been.
   */
  async send(
    method: string,
    path: string,
    body?: JsonObject,
    headers?: Readonly<Record<string, string>>,
  ): Promise<DaemonAnswer> {
    const response = await this.open(method, path, body, AbortSignal.timeout(ANSWER_TIMEOUT_MS), headers);
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

  /** The answer's head; its body is the caller's to read. */
  open(
    method: string,
    path: string,
    body?: JsonObject,
    signal?: AbortSignal,
    headers?: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const outgoing = request({
        agent: this.#agent,
        socketPath: this.#socketPath,
        method,
        path,
        ...(signal && { signal }),
        headers: {
          ...headers,
          host: 'writ',
          ...(bytes && { 'content-type': 'application/json', 'content-length': bytes.byteLength }),
        },
      });
      outgoing.once('response', resolve);
      outgoing.once('error', (error: NodeJS.ErrnoException) => {
        reject(
          ABSENT.has(error.code ?? '')
            ? new DaemonAbsent(`nothing listens on ${this.#socketPath}`)
            : new DaemonFailed(`the daemon cannot be reached: ${error.code ?? error.message}`),
        );
      });
      outgoing.end(bytes);
    });
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

/** The denial in a problem document (RFC 9457). A code that is not known here denies all the same. */
export function denialOf({ status, body }: DaemonAnswer): Denial {
  const detail = typeof body.detail === 'string' ? body.detail : `the daemon answered ${status}`;
  return isReasonCode(body.code) ? deny(body.code, detail) : deny('internal.unexpected', detail);
}
