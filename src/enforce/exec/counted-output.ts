import { createHash } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import type { StreamFacts } from '../../receipt/index.ts';

/** How long what a program that is dead has left in its pipes is waited for. */
const DRAIN_MS = 250;

/** Counts and hashes what a program says, beside whoever reads it. To be made in the turn in which that one is connected. */
export function countOutput(
  pipe: Readable | Writable | null | undefined,
): () => Promise<StreamFacts<string>> {
  if (pipe == null || !('read' in pipe)) return () => Promise.resolve('not_counted');
  const hash = createHash('sha256');
  let bytes = 0;
  const closed = Promise.withResolvers<boolean>();
  pipe.on('data', (chunk: Buffer | string) => {
    const piece = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    bytes += piece.byteLength;
    hash.update(piece);
  });
  pipe.once('end', () => closed.resolve(true));
  pipe.once('close', () => closed.resolve(pipe.readableEnded));
  return async () => {
    const timer = setTimeout(() => closed.resolve(false), DRAIN_MS);
    const whole = await closed.promise;
    clearTimeout(timer);
    const digest = `sha256:${hash.copy().digest('hex')}`;
    return { bytes, digest, ...(whole ? {} : { partial: true }) };
  };
}
