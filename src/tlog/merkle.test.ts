import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CompactTree,
  EMPTY_ROOT,
  type HashReader,
  leafHash,
  leafHashes,
  MerkleTree,
  nodeHash,
  proveConsistency,
  proveInclusion,
  rootAt,
  treeHash,
  verifyConsistency,
  verifyInclusion,
} from './index.ts';

const MAX_LEAVES = 700;
const leaves = Array.from({ length: MAX_LEAVES }, (_, at) => leafHash(Buffer.from(`entry ${at}`)));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function treeOf(size: number): MerkleTree {
  const tree = new MerkleTree();
  for (const leaf of leaves.slice(0, size)) tree.append(leaf);
  return tree;
}
const whole = treeOf(MAX_LEAVES);
const rootOf = (size: number) => treeHash(leaves.slice(0, size));
const leafAt = (index: number) => leaves[index] ?? new Uint8Array();

function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = Math.floor(bit / 8) % copy.byteLength;
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit % 8));
  return copy;
}

describe('hashing', () => {
  it('gives the empty tree SHA-256 of nothing', () => {
    expect(hex(EMPTY_ROOT)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(hex(CompactTree.empty().root())).toBe(hex(EMPTY_ROOT));
    expect(hex(treeHash([]))).toBe(hex(EMPTY_ROOT));
    expect(hex(rootAt(new MerkleTree(), 0))).toBe(hex(EMPTY_ROOT));
  });

  it('separates leaves from nodes by their prefix', () => {
    expect(hex(leafHash(new Uint8Array()))).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    );
    expect(hex(leafHash(Buffer.concat([leafAt(0), leafAt(1)])))).not.toBe(
      hex(nodeHash(leafAt(0), leafAt(1))),
    );
  });

  it('hashes many entries as it hashes each', () => {
    const entries = ['', 'a', 'a longer one', '', 'b'].map((text) => Buffer.from(text));
    expect(hex(leafHashes(entries))).toBe(entries.map((entry) => hex(leafHash(entry))).join(''));
  });

  it('refuses to hash what is not two hashes', () => {
    expect(() => nodeHash(leafAt(0), new Uint8Array(31))).toThrow(TypeError);
  });
});

describe('the example of C2SP merkle-tree, a tree of seven', () => {
  const [a, b, c, d, e, f, g] = [0, 1, 2, 3, 4, 5, 6].map(leafAt) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const h = nodeHash(a, b);
  const i = nodeHash(c, d);
  const j = nodeHash(e, f);
  const k = nodeHash(h, i);
  const l = nodeHash(j, g);
  const tree = treeOf(7);

  it('has its root', () => {
    expect(hex(tree.root())).toBe(hex(nodeHash(k, l)));
  });

  it.each([
    [0, [b, i, l]],
    [3, [c, h, l]],
    [4, [f, g, k]],
    [6, [j, k]],
  ])('proves inclusion of entry %i', (index, expected) => {
    expect(tree.inclusionProof(index).map(hex)).toEqual(expected.map(hex));
  });

  it.each([
    [3, [c, d, h, l]],
    [4, [l]],
    [6, [j, g, k]],
  ])('proves consistency from size %i', (size, expected) => {
    expect(tree.consistencyProof(size).map(hex)).toEqual(expected.map(hex));
  });
});

describe('growing by whole tiles', () => {
  const packed = (start: number) => Buffer.concat(leaves.slice(start, start + 256));

  it('gives the roots and the hashes to store that growing leaf by leaf gives', () => {
    const byTile = CompactTree.empty();
    const byLeaf = CompactTree.empty();
    for (const start of [0, 256]) {
      const stored = leaves.slice(start, start + 256).flatMap((leaf) => byLeaf.append(leaf));
      expect(byTile.appendTile(packed(start))).toEqual(stored.filter(({ level }) => level > 0));
      expect(byTile.size).toBe(start + 256);
      expect(hex(byTile.root())).toBe(hex(rootOf(start + 256)));
    }
  });

  it('stores the hash of a subtree of 65536 leaves with its last tile', () => {
    const tree = CompactTree.empty();
    const levels = Array.from({ length: 256 }, () => tree.appendTile(packed(0)).map(({ level }) => level));
    expect(
      levels
        .slice(0, -1)
        .flat()
        .every((level) => level === 1),
    ).toBe(true);
    expect(levels.at(-1)).toEqual([1, 2]);
  });

  it('refuses a tile that is not whole and a tree that ends within one', () => {
    const tree = CompactTree.empty();
    expect(() => tree.appendTile(packed(0).subarray(32))).toThrow(TypeError);
    tree.append(leafAt(0));
    expect(() => tree.appendTile(packed(0))).toThrow(TypeError);
  });
});

describe('growing', () => {
  it('has the root of the recursive definition at every size', () => {
    const edge = CompactTree.empty();
    for (let size = 0; size <= 300; size += 1) {
      expect(hex(edge.root())).toBe(hex(rootOf(size)));
      expect(hex(rootAt(whole, size))).toBe(hex(rootOf(size)));
      edge.append(leafAt(size));
    }
  });

  it('says which hashes to store: each leaf, and each subtree of 256 as it completes', () => {
    const edge = CompactTree.empty();
    const upper = [];
    for (let index = 0; index < 520; index += 1) {
      const [leaf, ...rest] = edge.append(leafAt(index));
      expect(leaf).toEqual({ level: 0, index, hash: leafAt(index) });
      upper.push(...rest);
    }
    expect(upper.map(({ level, index }) => [level, index])).toEqual([
      [1, 0],
      [1, 1],
    ]);
    expect(hex(upper[1]?.hash ?? new Uint8Array())).toBe(hex(treeHash(leaves.slice(256, 512))));
  });

  it('resumes at any size from stored hashes, and goes on the same', () => {
    fc.assert(
      fc.property(fc.nat(MAX_LEAVES - 1), fc.nat(40), (size, more) => {
        const edge = CompactTree.resume(size, whole);
        expect(edge.size).toBe(size);
        const end = Math.min(size + more, MAX_LEAVES);
        for (let index = size; index < end; index += 1) edge.append(leafAt(index));
        expect(hex(edge.root())).toBe(hex(whole.root(end)));
      }),
    );
  });

  it('leaves a clone where it was', () => {
    const edge = CompactTree.resume(255, whole);
    const before = edge.clone();
    edge.append(leafAt(255));
    expect(before.size).toBe(255);
    expect(hex(before.root())).toBe(hex(rootOf(255)));
  });

  it('counts beyond 32 bits', () => {
    const tree = endlessTree(leafAt(0));
    const size = 2 ** 40 - 1;
    const edge = CompactTree.resume(size, tree);
    const stored = edge.append(leafAt(0));
    expect(edge.size).toBe(2 ** 40);
    expect(stored.map(({ level, index }) => [level, index])).toEqual([
      [0, size],
      [1, 2 ** 32 - 1],
      [2, 2 ** 24 - 1],
      [3, 2 ** 16 - 1],
      [4, 2 ** 8 - 1],
      [5, 0],
    ]);
    expect(hex(edge.root())).toBe(hex(rootAt(tree, 2 ** 40)));
    const [index, size2] = [2 ** 40 + 3, 2 ** 40 + 12_345];
    const root2 = rootAt(tree, size2);
    const path = proveInclusion(tree, index, size2);
    expect(verifyInclusion({ leafHash: leafAt(0), index, size: size2, rootHash: root2, proof: path })).toBe(
      true,
    );
    const proof = proveConsistency(tree, size, size2);
    expect(verifyConsistency({ size1: size, root1: rootAt(tree, size), size2, root2, proof })).toBe(true);
  });
});

/** A tree of any size whose leaves are all the same. */
function endlessTree(leaf: Uint8Array): HashReader {
  const hashes = [leaf];
  for (let level = 1; level <= 56; level += 1) {
    const below = hashes[level - 1] ?? leaf;
    hashes.push(nodeHash(below, below));
  }
  const readHashes = (level: number, _start: number, count: number) =>
    Buffer.concat(Array.from({ length: count }, () => hashes[8 * level] ?? leaf));
  return { readHashes };
}

/** 0 ≤ index < size. */
const leafOfTree = fc
  .integer({ min: 1, max: MAX_LEAVES })
  .chain((size) => fc.tuple(fc.integer({ min: 0, max: size - 1 }), fc.constant(size)));
/** 0 < size1 < size2. */
const growth = fc
  .integer({ min: 2, max: MAX_LEAVES })
  .chain((size2) => fc.tuple(fc.integer({ min: 1, max: size2 - 1 }), fc.constant(size2)));

describe('proofs', () => {
  it('verify for every leaf of every tree', () => {
    fc.assert(
      fc.property(leafOfTree, ([index, size]) => {
        const proof = whole.inclusionProof(index, size);
        return verifyInclusion({ leafHash: leafAt(index), index, size, rootHash: whole.root(size), proof });
      }),
      { numRuns: 300 },
    );
  });

  it('of inclusion fail for any other leaf, index, root or proof', () => {
    fc.assert(
      fc.property(leafOfTree, fc.nat(255), fc.nat(), ([index, size], bit, pick) => {
        const proof = whole.inclusionProof(index, size);
        const claim = { leafHash: leafAt(index), index, size, rootHash: whole.root(size), proof };
        const other = (index + 1 + (pick % Math.max(size - 1, 1))) % size;
        const at = pick % Math.max(proof.length, 1);
        const lies = [
          { ...claim, leafHash: flipBit(claim.leafHash, bit) },
          { ...claim, rootHash: flipBit(claim.rootHash, bit) },
          { ...claim, rootHash: claim.rootHash.subarray(1) },
          { ...claim, proof: [...proof, claim.rootHash] },
          { ...claim, proof: [claim.leafHash, ...proof] },
          { ...claim, index: size },
          { ...claim, index: -1 },
          { ...claim, index: index + 0.5 },
          { ...claim, size: index },
          ...(other === index ? [] : [{ ...claim, index: other }]),
          ...(proof.length === 0
            ? []
            : [
                { ...claim, proof: proof.map((hash, i) => (i === at ? flipBit(hash, bit) : hash)) },
                { ...claim, proof: proof.filter((_, i) => i !== at) },
                { ...claim, proof: proof.map((hash, i) => (i === at ? hash.subarray(1) : hash)) },
              ]),
        ];
        expect(lies.map(verifyInclusion)).toEqual(lies.map(() => false));
      }),
      { numRuns: 200 },
    );
  });

  it('of consistency verify between every two trees of one log', () => {
    fc.assert(
      fc.property(growth, ([size1, size2]) => {
        const proof = whole.consistencyProof(size1, size2);
        return verifyConsistency({ size1, root1: whole.root(size1), size2, root2: whole.root(size2), proof });
      }),
      { numRuns: 300 },
    );
  });

  it('of consistency fail for any other root, size order or proof', () => {
    fc.assert(
      fc.property(growth, fc.nat(255), fc.nat(), ([size1, size2], bit, pick) => {
        const proof = whole.consistencyProof(size1, size2);
        const claim = { size1, root1: whole.root(size1), size2, root2: whole.root(size2), proof };
        const at = pick % proof.length;
        const lies = [
          { ...claim, root1: flipBit(claim.root1, bit) },
          { ...claim, root2: flipBit(claim.root2, bit) },
          { ...claim, root1: claim.root2, root2: claim.root1 },
          { ...claim, size1: size2, size2: size1 },
          { ...claim, size1: size2 },
          { ...claim, size1: 0 },
          { ...claim, proof: [] },
          { ...claim, proof: [...proof, claim.root2] },
          { ...claim, proof: [claim.root1, ...proof] },
          { ...claim, proof: proof.map((hash, i) => (i === at ? flipBit(hash, bit) : hash)) },
          { ...claim, proof: proof.filter((_, i) => i !== at) },
        ];
        expect(lies.map(verifyConsistency)).toEqual(lies.map(() => false));
      }),
      { numRuns: 200 },
    );
  });

  it('of consistency fail when an old entry was rewritten', () => {
    fc.assert(
      fc.property(growth, fc.nat(), ([size1, size2], pick) => {
        const rewritten = pick % size1;
        const forked = new MerkleTree();
        leaves.slice(0, size2).forEach((leaf, at) => {
          forked.append(at === rewritten ? flipBit(leaf, 0) : leaf);
        });
        const proof = forked.consistencyProof(size1, size2);
        return !verifyConsistency({ size1, root1: whole.root(size1), size2, root2: forked.root(), proof });
      }),
      { numRuns: 50 },
    );
  });

  it('refuse to be made for what is not in the tree', () => {
    const tree = treeOf(3);
    for (const [index, size] of [
      [3, 3],
      [-1, 3],
      [0.5, 3],
      [0, 0],
      [0, 4],
    ] as const) {
      expect(() => proveInclusion(tree, index, size)).toThrow(TypeError);
    }
    expect(() => proveConsistency(tree, 4, 3)).toThrow(TypeError);
    expect(() => proveConsistency(tree, 1, 4)).toThrow(TypeError);
    expect(() => tree.readHashes(0, 2, 2)).toThrow(TypeError);
  });

  it('end quickly however long they claim to be', () => {
    const proof = Array.from({ length: 100_000 }, () => EMPTY_ROOT);
    const claim = {
      leafHash: EMPTY_ROOT,
      index: 0,
      size: Number.MAX_SAFE_INTEGER,
      rootHash: EMPTY_ROOT,
      proof,
    };
    expect(verifyInclusion(claim)).toBe(false);
  });
});
