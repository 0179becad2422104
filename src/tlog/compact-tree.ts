import { EMPTY_ROOT, HASH_BYTES, nodeHash, perfectTreeHash } from './hash.ts';
import type { HashReader, StoredHash } from './hash-reader.ts';
import { readPerfectSubtree } from './subtree.ts';

/** Binary levels between two stored tile levels. */
const LEVELS_PER_TILE = 8;
const LEAVES_PER_TILE = 2 ** LEVELS_PER_TILE;

/**
 * The right edge of a growing tree: the roots of the perfect subtrees its size decomposes into, largest first. It is
 * all a writer needs to append and to know the root; memory is 32·log2(size) bytes.
 */
export class CompactTree {
  #size: number;
  /** Root of the perfect subtree at each binary level whose bit is set in the size. */
  readonly #edge: (Uint8Array | undefined)[];

  private constructor(size: number, edge: (Uint8Array | undefined)[]) {
    this.#size = size;
    this.#edge = edge;
  }

  static empty(): CompactTree {
    return new CompactTree(0, []);
  }

  /** The tree of `size` whose hashes are already stored. */
  static resume(size: number, reader: HashReader): CompactTree {
    const edge: (Uint8Array | undefined)[] = [];
    let begin = 0;
    for (let level = Math.floor(Math.log2(Math.max(size, 1))) + 1; level >= 0; level -= 1) {
      const width = 2 ** level;
      if (size - begin < width) continue;
      edge[level] = readPerfectSubtree(reader, level, begin / width);
      begin += width;
    }
    return new CompactTree(size, edge);
  }

  get size(): number {
    return this.#size;
  }

  /** An independent copy: keep it to return to this state when a transaction fails. */
  clone(): CompactTree {
    return new CompactTree(this.#size, [...this.#edge]);
  }

  /** Adds one leaf. Returns the hashes to store: the leaf itself at level 0, then any subtree of 256^L it completes. */
  append(leafHash: Uint8Array): readonly StoredHash[] {
    if (leafHash.byteLength !== HASH_BYTES) throw new TypeError('a leaf hash has 32 bytes');
    const stored: StoredHash[] = [{ level: 0, index: this.#size, hash: leafHash }];
    this.#size += 1;
    this.#join(leafHash, 0, stored);
    return stored;
  }

  /**
   * Adds a tile's worth of leaf hashes at once, to a tree of whole tiles. Returns the hashes to store of levels above 0:
   * the tile's own, then any subtree it completes.
   */
  appendTile(leafHashes: Uint8Array): readonly StoredHash[] {
    if (leafHashes.byteLength !== LEAVES_PER_TILE * HASH_BYTES)
      throw new TypeError('a tile has 256 leaf hashes');
    if (this.#size % LEAVES_PER_TILE !== 0) throw new TypeError('the tree ends within a tile');
    const hash = perfectTreeHash(leafHashes);
    const stored: StoredHash[] = [{ level: 1, index: this.#size / LEAVES_PER_TILE, hash }];
    this.#size += LEAVES_PER_TILE;
    this.#join(hash, LEVELS_PER_TILE, stored);
    return stored;
  }

  /** Puts the root of a perfect subtree of 2^`from` leaves at the edge, which `#size` counts already. */
  #join(root: Uint8Array, from: number, stored: StoredHash[]): void {
    let hash = root;
    let level = from;
    // The trailing ones of the old size: each is a left sibling that this subtree completes.
    for (let left = this.#edge[level]; left !== undefined; left = this.#edge[level]) {
      this.#edge[level] = undefined;
      hash = nodeHash(left, hash);
      level += 1;
      if (level % LEVELS_PER_TILE === 0) {
        stored.push({ level: level / LEVELS_PER_TILE, index: this.#size / 2 ** level - 1, hash });
      }
    }
    this.#edge[level] = hash;
  }

  /** MTH of everything appended: at most log2(size) hashes per call. */
  root(): Uint8Array {
    let root: Uint8Array | undefined;
    for (const hash of this.#edge) {
      if (hash !== undefined) root = root === undefined ? hash : nodeHash(hash, root);
    }
    return root ?? EMPTY_ROOT;
  }
}
