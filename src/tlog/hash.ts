import { sha256, writeSha256 } from '../codec/digest.ts';

/** Bytes of one SHA-256 Merkle Tree Hash. */
export const HASH_BYTES = 32;

/** MTH({}) = SHA-256("") (RFC 9162 §2.1.1): the root of the tree without entries. */
export const EMPTY_ROOT: Uint8Array = sha256();

/** Hashing is synchronous and never re-entered, so one buffer serves every interior node. */
const node = new Uint8Array(1 + 2 * HASH_BYTES);
node[0] = 0x01;

/** SHA-256(0x00 ‖ entry) (RFC 9162 §2.1.1). */
export function leafHash(entry: Uint8Array): Uint8Array {
  const leaf = new Uint8Array(1 + entry.byteLength);
  leaf.set(entry, 1);
  return sha256(leaf);
}

/** SHA-256(0x01 ‖ left ‖ right) over two 32-byte hashes (RFC 9162 §2.1.1). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.byteLength !== HASH_BYTES || right.byteLength !== HASH_BYTES) {
    throw new TypeError('a tree node is the hash of two 32-byte hashes');
  }
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return sha256(node);
}

/** The leaf hashes of many entries, side by side as in a level-0 tile. */
export function leafHashes(entries: readonly Uint8Array[]): Uint8Array {
  const hashes = Buffer.alloc(entries.length * HASH_BYTES);
  const longest = entries.reduce((most, { byteLength }) => Math.max(most, byteLength), 0);
  const leaf = new Uint8Array(1 + longest);
  for (const [at, entry] of entries.entries()) {
    leaf.set(entry, 1);
    writeSha256(hashes, at * HASH_BYTES, leaf.subarray(0, 1 + entry.byteLength));
  }
  return hashes;
}

/** MTH of a perfect subtree, from the 2^n hashes of one of its levels side by side. */
export function perfectTreeHash(hashes: Uint8Array): Uint8Array {
  let count = hashes.byteLength / HASH_BYTES;
  if (!(count >= 1 && Number.isInteger(Math.log2(count))))
    throw new TypeError('a perfect subtree has 2^n hashes');
  const level = Buffer.from(hashes);
  for (; count > 1; count /= 2) {
    // Each parent takes a place whose hash has been used.
    for (let at = 0; at < count / 2; at += 1) {
      node.set(level.subarray(2 * at * HASH_BYTES, (2 * at + 2) * HASH_BYTES), 1);
      writeSha256(level, at * HASH_BYTES, node);
    }
  }
  return new Uint8Array(level.subarray(0, HASH_BYTES));
}

/** MTH over leaf hashes (not entries), by the recursive definition of RFC 9162 §2.1.1. */
export function treeHash(leafHashes: readonly Uint8Array[]): Uint8Array {
  const [only] = leafHashes;
  if (only === undefined) return EMPTY_ROOT;
  if (leafHashes.length === 1) return only;
  const split = largestPowerOfTwoBelow(leafHashes.length);
  return nodeHash(treeHash(leafHashes.slice(0, split)), treeHash(leafHashes.slice(split)));
}

/** The largest power of two smaller than `n`, for n ≥ 2. Arithmetic, not bits: sizes go to 2^53. */
export function largestPowerOfTwoBelow(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

export function hashesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let i = 0; i < a.byteLength; i += 1) if (a[i] !== b[i]) return false;
  return true;
}
