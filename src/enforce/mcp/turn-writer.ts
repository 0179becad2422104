import type { Writable } from 'node:stream';

/**
 * Writes to a stream, what is written in one turn of the event loop as one: a group of calls that became durable
 * together costs one system call, and wakes the reader once.
 */
export function turnWriter(stream: Writable): (bytes: Buffer) => void {
  let corked = false;
  return (bytes) => {
    if (!corked) {
      corked = true;
      stream.cork();
      process.nextTick(() => {
        corked = false;
        stream.uncork();
      });
    }
    stream.write(bytes);
  };
}
