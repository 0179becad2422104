import type { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import { STREAMS, type SupervisedProcess } from '../../governor/index.ts';

const MAX_WAITING_BYTES = 1024 * 1024;
const NORMAL = 1000;
const PROTOCOL_ERROR = 1002;

/**
 * Connects the standard streams of a process with whoever had it started (spec/session.md): it ends with the connection, and
 * how it ended is the last that is said.
 */
export function relayStreams(socket: WebSocket, supervised: SupervisedProcess): void {
  const { child } = supervised;
  const { stdin, stdout, stderr } = child;
  socket.on('error', () => undefined);
  socket.on('close', () => {
    supervised.end();
    // Whatever it started may hold the other ends for ever.
    const release = () => {
      for (const stream of [stdin, stdout, stderr]) stream?.destroy();
    };
    if (child.exitCode === null && child.signalCode === null) child.once('exit', release);
    else release();
  });
  stdin?.on('error', () => undefined);
  socket.on('message', (data, isBinary) => {
    if (!isBinary || !(data instanceof Buffer) || data[0] !== STREAMS.stdin || stdin === null) {
      socket.close(PROTOCOL_ERROR, 'frames are bytes for standard input');
    } else if (data.byteLength === 1) {
      stdin.end();
    } else if (!stdin.writableEnded && !stdin.write(data.subarray(1))) {
      socket.pause();
      stdin.once('drain', () => socket.resume());
    }
  });
  forward(socket, stdout, STREAMS.stdout);
  forward(socket, stderr, STREAMS.stderr);
  // Both streams have ended by then.
  child.once('close', (code, signal) => {
    socket.send(JSON.stringify({ code, signal }), () => socket.close(NORMAL));
  });
}

function forward(socket: WebSocket, stream: Readable | null, tag: number): void {
  stream?.on('error', () => undefined);
  stream?.on('data', (chunk: Buffer) => {
    socket.send(Buffer.concat([Buffer.of(tag), chunk]), () => {
      if (socket.bufferedAmount < MAX_WAITING_BYTES) stream.resume();
    });
    if (socket.bufferedAmount >= MAX_WAITING_BYTES) stream.pause();
  });
}
