import { createHash } from 'node:crypto';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Digest } from '../../codec/index.ts';
import { type Denial, deny } from '../../denial/index.ts';

/** Standard input, read to its end before anything is decided. */
export interface BoundInput {
  readonly digest: Digest;
  /** Of a file without a name, open for reading: what was hashed, and nobody else has it. To be closed. */
  readonly descriptor: number;
}

const MAX_BYTES = 256 * 1024 * 1024;

/** INVARIANT: the bytes that were hashed are the bytes that the program reads. */
export async function bindInput(input: Readable, maxBytes = MAX_BYTES): Promise<BoundInput | Denial> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-stdin-'));
  let writing: number | undefined;
  let descriptor: number | undefined;
  try {
    const path = join(folder, 'stdin');
    // Others may open it anew by /dev/stdin, and read only.
    writing = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o444);
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    rmSync(folder, { recursive: true });
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of input) {
      const piece = Buffer.from(chunk);
      bytes += piece.byteLength;
      if (bytes > maxBytes) return deny('request.too_large', 'standard input is too large to be bound');
      hash.update(piece);
      for (let at = 0; at < piece.byteLength; ) at += writeSync(writing, piece, at);
    }
    const bound: BoundInput = { digest: `sha256:${hash.digest('hex')}`, descriptor };
    descriptor = undefined;
    return bound;
  } catch {
    return deny('request.malformed', 'standard input cannot be read');
  } finally {
    rmSync(folder, { recursive: true, force: true });
    if (writing !== undefined) closeSync(writing);
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
