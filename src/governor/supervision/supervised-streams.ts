import { connect } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { isJsonObject, parseJson } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { unreachable } from '../daemon/daemon-error.ts';
import { STREAMS, SUPERVISE_PROTOCOL } from './supervise-protocol.ts';

export interface StandardStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** How a supervised program ended; `refused`: it was never started, or the daemon is gone. */
export type SupervisedEnd =
  | { readonly code: number | null; readonly signal: string | null }
  | { readonly refused: string };

const MAX_END_BYTES = 1024;
const MAX_FRAME_BYTES = 4 * 1024 * 1024;
const MAX_WAITING_BYTES = 1024 * 1024;

/**
 * Has the daemon start a configured program, and is its standard streams until it ends (spec/session.md).
 *
 * @param signal ends the program.
 * @throws DaemonAbsent, DaemonFailed where there is no daemon to be had.
 */
export function runSupervised(
  socketPath: string,
  name: string,
  { stdin, stdout, stderr }: StandardStreams,
  signal: AbortSignal,
): Promise<SupervisedEnd> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://writ/v1/supervised/${name}`, SUPERVISE_PROTOCOL, {
      createConnection: () => connect(socketPath),
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
    });
    let end: SupervisedEnd | undefined;
    const stop = () => socket.close();
    signal.addEventListener('abort', stop, { once: true });
    socket.on('error', (error) => reject(unreachable(socketPath, error)));
    socket.on('unexpected-response', (_request, { statusCode }) => {
      socket.terminate();
      resolve({
        refused: statusCode === 404 ? 'no program of that name is configured' : 'the daemon refused',
      });
    });
    socket.once('open', () => send(socket, stdin));
    socket.on('message', (data, isBinary) => {
      if (!(data instanceof Buffer)) return;
      if (!isBinary) {
        end = endOf(data);
        return;
      }
      const stream = data[0] === STREAMS.stdout ? stdout : stderr;
      if (stream.write(data.subarray(1))) return;
      socket.pause();
      stream.once('drain', () => socket.resume());
    });
    socket.once('close', (_code, reason) => {
      signal.removeEventListener('abort', stop);
      stdin.destroy();
      resolve(end ?? { refused: reason.toString() || 'the connection to the daemon ended' });
    });
  });
}

function send(socket: WebSocket, stdin: Readable): void {
  stdin.on('data', (chunk: Buffer | string) => {
    const bytes = Buffer.concat([Buffer.of(STREAMS.stdin), Buffer.from(chunk)]);
    socket.send(bytes, () => {
      if (socket.bufferedAmount < MAX_WAITING_BYTES) stdin.resume();
    });
    if (socket.bufferedAmount >= MAX_WAITING_BYTES) stdin.pause();
  });
  stdin.once('end', () => socket.send(Buffer.of(STREAMS.stdin), () => undefined));
  stdin.on('error', () => undefined);
}

function endOf(frame: Buffer): SupervisedEnd | undefined {
  const json = parseJson(frame, 'request.malformed', { maxBytes: MAX_END_BYTES });
  if (isDenial(json) || !isJsonObject(json)) return undefined;
  const { code, signal } = json;
  return {
    code: typeof code === 'number' ? code : null,
    signal: typeof signal === 'string' ? signal : null,
  };
}
