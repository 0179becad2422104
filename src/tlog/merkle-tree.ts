import { CompactTree } from './compact-tree.ts';
import { HASH_BYTES } from './hash.ts';
import type { HashReader } from './hash-reader.ts';
import { proveConsistency, proveInclusion, rootAt } from './prove.ts';

const FIRST_CAPACITY = 256 * HASH_BYTES;

/** A whole tree in memory: what a memory log, a test or a verifier that rebuilds a log uses. */
export class MerkleTree implements HashReader {
  readonly #edge = CompactTree.empty();
  readonly #levels: { bytes: Uint8Array; count: number }[] = [];

  get size(): number {
    return this.#edge.size;
  }

  append(leafHash: Uint8Array): void {
    for (const { level, index, hash } of this.#edge.append(leafHash)) {
      const row = this.#levels[level] ?? { bytes: new Uint8Array(FIRST_CAPACITY), count: 0 };
      this.#levels[level] = row;
      if ((index + 1) * HASH_BYTES > row.bytes.byteLength) {
        const grown = new Uint8Array(row.bytes.byteLength * 2);
        grown.set(row.bytes);
        row.bytes = grown;
      }
      row.bytes.set(hash, index * HASH_BYTES);
      row.count = index + 1;
    }
  }

  /** MTH of the first `size` leaves, by default of all. */
  root(size: number = this.size): Uint8Array {
    return size === this.size ? this.#edge.root() : rootAt(this, size);
  }

  inclusionProof(index: number, size: number = this.size): Uint8Array[] {
    return proveInclusion(this, index, size);
  }

  consistencyProof(size1: number, size2: number = this.size): Uint8Array[] {
    return proveConsistency(this, size1, size2);
  }

  readHashes(level: number, start: number, count: number): Uint8Array {
    const row = this.#levels[level];
    if (start < 0 || count < 0 || start + count > (row?.count ?? 0)) {
      throw new TypeError(
        `hashes ${start} to ${start + count} of level ${level} are not in a tree of ${this.size}`,
      );
    }
    return row === undefined
      ? new Uint8Array()
      : row.bytes.slice(start * HASH_BYTES, (start + count) * HASH_BYTES);
  }
}
