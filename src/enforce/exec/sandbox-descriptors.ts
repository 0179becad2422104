import type { ChildProcess } from 'node:child_process';
import { Server } from 'node:net';
import type { Readable, Writable } from 'node:stream';

/** The launcher says one thing, and is told to go on when that was heard. Nothing else is read from the sandbox. */
export function awaitListener(
  child: ChildProcess,
  onListener: ((listener: Server) => void) | undefined,
): void {
  child.once('message', (_message, handle) => {
    if (!(handle instanceof Server)) {
      child.kill('SIGKILL');
      return;
    }
    if (onListener === undefined) handle.close();
    else onListener(handle);
    child.send('go', () => {
      if (child.connected) child.disconnect();
    });
  });
}

/** Inherited descriptors that nothing takes the place of lead to `/dev/null` in the sandbox. */
export function masked(
  from: number,
  nothing: number,
  all: readonly number[],
): readonly (number | 'ignore')[] {
  const inherited = all.filter((descriptor) => descriptor >= from);
  const last = Math.max(from - 1, ...inherited);
  return Array.from({ length: last + 1 - from }, (_, index) =>
    inherited.includes(from + index) ? nothing : 'ignore',
  );
}

/** Hands bytes on by a descriptor. */
export function feed(child: ChildProcess, descriptor: number, bytes: Uint8Array): void {
  const stream = streamOf(child, descriptor);
  if (stream === undefined || !('end' in stream)) return;
  // Where the sandbox ends before it has read all, that is told by its end.
  stream.on('error', () => undefined);
  stream.end(bytes);
}

/** Node's own types know of five. */
export function streamOf({ stdio }: ChildProcess, descriptor: number): Readable | Writable | undefined {
  const streams: readonly (Readable | Writable | null | undefined)[] = stdio;
  return streams[descriptor] ?? undefined;
}
