import { HASH_BYTES, nodeHash, perfectTreeHash } from './hash.ts';
import type { HashReader } from './hash-reader.ts';

/** Binary tree levels between two stored tile levels. */
const LEVELS_PER_TILE = 8;

/** The root of the perfect subtree of 2^level leaves that starts at leaf `index`·2^level, from at most 128 stored hashes. */
export function readPerfectSubtree(reader: HashReader, level: number, index: number): Uint8Array {
  const above = level % LEVELS_PER_TILE;
  const width = 2 ** above;
  const tileLevel = (level - above) / LEVELS_PER_TILE;
  const bytes = reader.readHashes(tileLevel, index * width, width);
  if (bytes.byteLength !== width * HASH_BYTES) throw new TypeError('the hash reader gave a short answer');
  return perfectTreeHash(bytes);
}

/** MTH(D[begin:end]) where begin is a multiple of the smallest power of two ≥ end − begin, as in every proof. */
export function readSubtree(reader: HashReader, begin: number, end: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = begin;
  while (at < end) {
    let level = 0;
    while (2 ** (level + 1) <= end - at) level += 1;
    parts.push(readPerfectSubtree(reader, level, at / 2 ** level));
    at += 2 ** level;
  }
  let root = parts.pop();
  if (root === undefined) throw new TypeError('a subtree is not empty');
  for (let left = parts.pop(); left !== undefined; left = parts.pop()) root = nodeHash(left, root);
  return root;
}
