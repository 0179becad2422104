import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { takeSupervisedConnection } from '../supervision/supervised-descriptor.ts';
import type { DaemonAnswer } from './daemon-answer.ts';
import { DaemonFailed, DaemonGone, unreachable } from './daemon-error.ts';
import { MAX_FRAME_REQUESTS, MAX_SESSION_FRAME_BYTES, SESSION_PROTOCOL } from './session-protocol.ts';

const MAX_FRAME_BYTES = 16 * 1024 * 1024;
/** A frame takes no more requests once it is so long; a longer request has one of its own. */
const FULL_FRAME_BYTES = 512 * 1024;
/** With the brackets of a frame around it. */
const MAX_REQUEST_BYTES = MAX_SESSION_FRAME_BYTES - 2;

export interface ChannelListener {
  readonly event: (name: string, data: JsonObject) => void;
  /** It is gone, whoever ended it. Called once. */
  readonly closed: (channel: DaemonChannel) => void;
}

interface Pending {
  readonly resolve: (answer: DaemonAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** The WebSocket of a session with the daemon (spec/session.md): requests that are answered in any order, and events. */
export class DaemonChannel {
  readonly #socket: WebSocket;
  readonly #listener: ChannelListener;
  readonly #answerTimeoutMs: number;
  readonly #pending = new Map<number, Pending>();
  readonly #late = new Map<number, (answer: DaemonAnswer) => void>();
  #waiting: string[] = [];
  #waitingBytes = 0;
  #lastId = 0;

  private constructor(socket: WebSocket, listener: ChannelListener, answerTimeoutMs: number) {
    this.#socket = socket;
    this.#answerTimeoutMs = answerTimeoutMs;
    this.#listener = listener;
    socket.on('message', (data, isBinary) => {
      if (isBinary || !(data instanceof Buffer) || !this.#read(data)) socket.terminate();
    });
    socket.once('close', () => {
      const gone = new DaemonGone('the daemon broke off');
      for (const { reject } of this.#take()) reject(gone);
      listener.closed(this);
    });
  }

  /** @throws DaemonAbsent where nothing listens; DaemonFailed where no channel could be had. */
  static open(
    socketPath: string,
    path: string,
    listener: ChannelListener,
    answerTimeoutMs: number,
  ): Promise<DaemonChannel> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://writ${path}`, SESSION_PROTOCOL, {
        createConnection: () => takeSupervisedConnection(socketPath) ?? connect(socketPath),
        perMessageDeflate: false,
        maxPayload: MAX_FRAME_BYTES,
        handshakeTimeout: answerTimeoutMs,
      });
      socket.on('error', (error) => reject(unreachable(socketPath, error)));
      socket.once('open', () => resolve(new DaemonChannel(socket, listener, answerTimeoutMs)));
    });
  }

  /**
   * @param onLate told of an answer that came after all.
   * @throws DaemonFailed where no answer came; whether it was done is then not known.
   */
  send(request: JsonObject, onLate?: (answer: DaemonAnswer) => void): Promise<DaemonAnswer> {
    return new Promise((resolve, reject) => {
      this.#lastId += 1;
      const id = this.#lastId;
      const text = JSON.stringify({ ...request, id });
      const bytes = Buffer.byteLength(text);
      if (bytes > MAX_REQUEST_BYTES) throw new DaemonFailed('too long to be sent to the daemon');
      if (this.#socket.readyState !== WebSocket.OPEN) throw new DaemonGone('the daemon is gone');
      const late = () => {
        this.#pending.delete(id);
        if (onLate !== undefined) this.#late.set(id, onLate);
        reject(new DaemonFailed('the daemon did not answer in time'));
      };
      this.#pending.set(id, { resolve, reject, timer: setTimeout(late, this.#answerTimeoutMs) });
      const isFull = this.#waitingBytes + bytes > FULL_FRAME_BYTES;
      if (isFull || this.#waiting.length === MAX_FRAME_REQUESTS) this.#flush();
      this.#waiting.push(text);
      this.#waitingBytes += bytes;
      // What is asked in one turn of the event loop goes as one frame.
      if (this.#waiting.length === 1) process.nextTick(() => this.#flush());
    });
  }

  close(): void {
    this.#socket.terminate();
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    const frame = `[${this.#waiting.join(',')}]`;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#socket.send(frame, () => undefined);
  }

  /** @returns false where the frame is not as documented: then nothing of the daemon can be relied on. */
  #read(frame: Buffer): boolean {
    const messages = parseJson(frame, 'request.malformed', { maxBytes: MAX_FRAME_BYTES });
    if (isDenial(messages) || !Array.isArray(messages)) return false;
    return messages.every((message: JsonValue) => {
      if (!isJsonObject(message)) return false;
      const { id, status, body, event, data } = message;
      if (typeof event === 'string' && isJsonObject(data)) {
        this.#listener.event(event, data);
        return true;
      }
      if (typeof id !== 'number' || typeof status !== 'number' || !isJsonObject(body)) return false;
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      clearTimeout(pending?.timer);
      pending?.resolve({ status, body });
      this.#late.get(id)?.({ status, body });
      this.#late.delete(id);
      return true;
    });
  }

  #take(): Pending[] {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const { timer } of all) clearTimeout(timer);
    return all;
  }
}
