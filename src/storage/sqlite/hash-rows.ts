import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { HASH_BYTES, type HashReader, LogUnavailable } from '../../tlog/index.ts';

/** The stored hashes of a log: leaf hashes stand in their entries' rows, higher tile levels in `node`. */
export class HashRows implements HashReader {
  readonly #leaves: StatementSync;
  readonly #nodes: StatementSync;

  constructor(db: DatabaseSync) {
    this.#leaves = db.prepare('SELECT leaf AS hash FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx');
    this.#nodes = db.prepare('SELECT hash FROM node WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx');
  }

  readHashes(level: number, start: number, count: number): Uint8Array {
    const rows =
      level === 0 ? this.#leaves.all(start, start + count) : this.#nodes.all(level, start, start + count);
    const bytes = new Uint8Array(count * HASH_BYTES);
    let at = 0;
    for (const { hash } of rows) {
      if (!(hash instanceof Uint8Array) || hash.byteLength !== HASH_BYTES) break;
      bytes.set(hash, at);
      at += HASH_BYTES;
    }
    if (at !== bytes.byteLength) {
      throw new LogUnavailable(
        `tree hashes ${start} to ${start + count - 1} of level ${level} are missing or damaged; run \`writ log verify\``,
      );
    }
    return bytes;
  }
}
