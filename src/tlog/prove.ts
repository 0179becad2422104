import { EMPTY_ROOT, largestPowerOfTwoBelow } from './hash.ts';
import type { HashReader } from './hash-reader.ts';
import { readSubtree } from './subtree.ts';

/** MTH of the first `size` entries (RFC 9162 §2.1.1). */
export function rootAt(reader: HashReader, size: number): Uint8Array {
  return size === 0 ? EMPTY_ROOT : readSubtree(reader, 0, size);
}

/**
 * PATH(index, D[size]) (RFC 9162 §2.1.3.1), from the leaf's sibling up.
 * @throws TypeError unless 0 ≤ index < size.
 */
export function proveInclusion(reader: HashReader, index: number, size: number): Uint8Array[] {
  if (!isSize(index) || !isSize(size) || index >= size) {
    throw new TypeError(`no leaf ${index} in a tree of ${size}`);
  }
  const proof: Uint8Array[] = [];
  let begin = 0;
  let end = size;
  while (end - begin > 1) {
    const split = begin + largestPowerOfTwoBelow(end - begin);
    if (index < split) {
      proof.push(readSubtree(reader, split, end));
      end = split;
    } else {
      proof.push(readSubtree(reader, begin, split));
      begin = split;
    }
  }
  return proof.reverse();
}

/**
 * PROOF(size1, D[size2]) (RFC 9162 §2.1.4.1). Empty when size1 is 0 or equals size2 (C2SP merkle-tree).
 * @throws TypeError unless 0 ≤ size1 ≤ size2.
 */
export function proveConsistency(reader: HashReader, size1: number, size2: number): Uint8Array[] {
  if (!isSize(size1) || !isSize(size2) || size1 > size2) {
    throw new TypeError(`no tree of ${size1} inside a tree of ${size2}`);
  }
  if (size1 === 0 || size1 === size2) return [];
  const proof: Uint8Array[] = [];
  let begin = 0;
  let end = size2;
  while (end !== size1) {
    const split = begin + largestPowerOfTwoBelow(end - begin);
    if (size1 <= split) {
      proof.push(readSubtree(reader, split, end));
      end = split;
    } else {
      proof.push(readSubtree(reader, begin, split));
      begin = split;
    }
  }
  // The verifier knows MTH(D[0:size1]) when that is the whole left edge; otherwise the proof starts with the last part.
  if (begin > 0) proof.push(readSubtree(reader, begin, end));
  return proof.reverse();
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
