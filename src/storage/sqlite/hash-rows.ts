import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { HASH_BYTES } from '../../tlog/hash.ts';
import type { HashReader } from '../../tlog/hash-reader.ts';
import { logFault } from '../../tlog/log.ts';

/** Of `count` rows, one row: all hashes in hex, and how many are whole. One row for each would cost twice the time. */
const GATHER = "SELECT group_concat(hex(hash), '') AS hashes, total(length(hash) = 32) AS whole";

/** The stored hashes of a log: leaf hashes stand in their entries' rows, higher tile levels in `node`. */
export class HashRows implements HashReader {
  readonly #leaves: StatementSync;
  readonly #nodes: StatementSync;

  constructor(db: DatabaseSync) {
    this.#leaves = db.prepare(
      `${GATHER} FROM (SELECT leaf AS hash FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx)`,
    );
    this.#nodes = db.prepare(
      `${GATHER} FROM (SELECT hash FROM node WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx)`,
    );
  }

  readHashes(level: number, start: number, count: number): Uint8Array {
    if (count === 0) return new Uint8Array();
    const end = start + count;
    const row = level === 0 ? this.#leaves.get(start, end) : this.#nodes.get(level, start, end);
    const bytes = new Uint8Array(Buffer.from(typeof row?.hashes === 'string' ? row.hashes : '', 'hex'));
    if (row?.whole !== count || bytes.byteLength !== count * HASH_BYTES) {
      throw logFault(
        'damaged',
        `tree hashes ${start} to ${end - 1} of level ${level} are missing or damaged`,
      );
    }
    return bytes;
  }
}
