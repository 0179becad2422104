import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { EMPTY_ROOT, leafHash, verifyConsistency, verifyInclusion } from '../../src/tlog/index.ts';

/*
 * The vectors of transparency-dev/merkle (Apache-2.0) stand beside the repository, not in it. Where verifiers of the field
 * disagree is the empty tree; Writ decides:
 *   - the root of the empty tree is SHA-256 of nothing, and a checkpoint of size 0 carries no other root;
 *   - nothing is included in the empty tree;
 *   - from size 0 the empty proof, and only it, shows consistency with any later tree (C2SP merkle-tree, tlog-witness);
 *   - equal sizes need the empty proof and equal roots, at 0 too;
 *   - a hash that isn't 32 bytes, given as a root, a leaf or in a proof, is false.
 */
const VECTORS = new URL('../../../shared/vectors/', import.meta.url);

/** Its two roots of tree size 1 are equal, but of 12 bytes: the vector accepts them, Writ doesn't. */
const TWELVE_BYTE_ROOTS = 'consistency/additional/sizes-are-equal-one-and-proof-is-empty.json';

const hashes = z.array(z.string()).nullable();
const Inclusion = z.object({
  desc: z.string(),
  file: z.string(),
  // Some are uint64 and beyond what a double holds: JSON.parse rounds them, they stay too large for any tree.
  leafIdx: z.number(),
  treeSize: z.number(),
  root: z.string(),
  leafHash: z.string(),
  proof: hashes,
  wantErr: z.boolean(),
});
const Consistency = z.object({
  desc: z.string(),
  file: z.string(),
  size1: z.number(),
  size2: z.number(),
  root1: z.string(),
  root2: z.string(),
  proof: hashes,
  wantErr: z.boolean(),
});

function load<T extends z.ZodType>(name: string, schema: T): z.infer<T>[] | undefined {
  const file = new URL(name, VECTORS);
  if (!existsSync(file)) return undefined;
  return z.object({ cases: z.array(schema) }).parse(JSON.parse(readFileSync(file, 'utf8'))).cases;
}

const bytes = (text: string) => Buffer.from(text, 'base64');
const ABSENT = 'the vectors are absent: put them in ../shared/vectors';

describe('RFC 9162 vectors', () => {
  it('inclusion (§2.1.3.2)', ({ skip }) => {
    const cases = load('rfc9162-inclusion.json', Inclusion) ?? skip(ABSENT);
    expect(cases.length).toBeGreaterThan(90);
    const wrong = cases.filter((one) => {
      const claim = {
        index: one.leafIdx,
        size: one.treeSize,
        leafHash: bytes(one.leafHash),
        rootHash: bytes(one.root),
      };
      return verifyInclusion({ ...claim, proof: (one.proof ?? []).map(bytes) }) === one.wantErr;
    });
    expect(wrong.map((one) => one.file)).toEqual([]);
  });

  it('consistency (§2.1.4.2)', ({ skip }) => {
    const cases = load('rfc9162-consistency.json', Consistency) ?? skip(ABSENT);
    expect(cases.length).toBeGreaterThan(90);
    const wrong = cases.filter((one) => {
      const claim = { size1: one.size1, size2: one.size2, root1: bytes(one.root1), root2: bytes(one.root2) };
      return verifyConsistency({ ...claim, proof: (one.proof ?? []).map(bytes) }) === one.wantErr;
    });
    expect(wrong.map((one) => one.file)).toEqual([TWELVE_BYTE_ROOTS]);
  });
});

describe('the empty tree', () => {
  const leaf = leafHash(Buffer.from('x'));
  const empty = { size1: 0, root1: EMPTY_ROOT, size2: 0, root2: EMPTY_ROOT, proof: [] };

  it('includes nothing', () => {
    const claim = { leafHash: leaf, index: 0, size: 0, proof: [] };
    expect(verifyInclusion({ ...claim, rootHash: EMPTY_ROOT })).toBe(false);
    expect(verifyInclusion({ ...claim, rootHash: leaf })).toBe(false);
  });

  it('is consistent with itself and with every later tree, by the empty proof alone', () => {
    expect(verifyConsistency(empty)).toBe(true);
    expect(verifyConsistency({ ...empty, size2: 1, root2: leaf })).toBe(true);
    expect(verifyConsistency({ ...empty, size2: 1, root2: leaf, proof: [leaf] })).toBe(false);
    expect(verifyConsistency({ ...empty, proof: [EMPTY_ROOT] })).toBe(false);
  });

  it('has one root', () => {
    expect(verifyConsistency({ ...empty, root2: leaf })).toBe(false);
  });

  it('comes after no other tree', () => {
    expect(verifyConsistency({ ...empty, size1: 1, root1: leaf })).toBe(false);
  });
});
