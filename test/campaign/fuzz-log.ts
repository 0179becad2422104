import { isDenial } from '../../src/denial/index.ts';
import { SigningKey } from '../../src/key/index.ts';
import {
  encodeEntryBundle,
  formatCheckpoint,
  formatTilePath,
  formatTlogProof,
  formatVkey,
  leafHash,
  MerkleTree,
  noteSigner,
  noteVerifier,
  openCheckpoint,
  openNote,
  parseCheckpoint,
  parseEntryBundle,
  parseTilePath,
  parseTlogProof,
  parseVkey,
  signNote,
  verifyTlogProof,
} from '../../src/tlog/index.ts';
import type { FuzzTarget, Verdict } from './fuzz-targets.ts';
import { mutateBytes, mutateText, pickFrom, soup } from './mutate.ts';
import type { Random } from './random.ts';

const ORIGIN = 'example.com/log';
const LEAVES = 300;

/** Signed notes, checkpoints, proofs, tiles: C2SP's formats. */
export function logTargets(): FuzzTarget[] {
  const key = SigningKey.fromSeed(new Uint8Array(32).fill(1));
  const verifier = noteVerifier(ORIGIN, key.publicKey);
  const tree = new MerkleTree();
  for (let index = 0; index < LEAVES; index += 1) tree.append(leafHash(Buffer.of(index & 255, index >> 8)));
  const body = formatCheckpoint({ origin: ORIGIN, size: LEAVES, rootHash: tree.root() });
  const extended = formatCheckpoint({
    origin: ORIGIN,
    size: LEAVES,
    rootHash: tree.root(),
    extensions: ['more', 'and more'],
  });
  const signer = noteSigner(ORIGIN, key);
  const note = signNote(body, [signer]);
  const cosigned = signNote(body, [
    signer,
    noteSigner('witness.example/w', SigningKey.fromSeed(new Uint8Array(32).fill(2))),
  ]);
  const proofs = [0, 3, 255, 299].map((index) =>
    formatTlogProof({ extra: Buffer.from('x'), index, proof: tree.inclusionProof(index), checkpoint: note }),
  );
  const vkey = formatVkey(ORIGIN, key.publicKey);
  const paths = ['tile/0/000', 'tile/1/x001/x234/067.p/25', 'tile/entries/x001/000.p/255'];
  const bundles = [
    encodeEntryBundle([Buffer.from('one'), Buffer.from('two')]),
    encodeEntryBundle([Buffer.alloc(300, 7), Buffer.alloc(0)]),
  ];
  const leaf = leafHash(Buffer.of(3, 0));

  return [
    text('signed note', [note, cosigned], (input) => {
      const opened = openNote(input, [verifier]);
      if (isDenial(opened)) return 'refused';
      return opened.text === body ? 'accepted' : 'a text that was not signed';
    }),
    text('checkpoint', [body, extended], (input) => {
      const parsed = parseCheckpoint(input);
      if (isDenial(parsed)) return 'refused';
      return formatCheckpoint(parsed) === input ? 'accepted' : 'not the canonical text';
    }),
    text('signed checkpoint', [note, cosigned], (input) => {
      const opened = openCheckpoint(input, verifier);
      if (isDenial(opened)) return 'refused';
      return opened.size === LEAVES && opened.origin === ORIGIN
        ? 'accepted'
        : 'a tree head that was not signed';
    }),
    text('tlog-proof', proofs, (input) => {
      const parsed = parseTlogProof(input);
      if (isDenial(parsed)) return 'refused';
      if (formatTlogProof(parsed) !== input) return 'not the canonical text';
      const verified = verifyTlogProof(parsed, leaf, verifier);
      return isDenial(verified) || verified.index === 3 ? 'accepted' : 'a false proof verifies';
    }),
    text('vkey', [vkey], (input) => {
      const parsed = parseVkey(input);
      if (isDenial(parsed)) return 'refused';
      return formatVkey(parsed.name, parsed.key, parsed.type) === input
        ? 'accepted'
        : 'not the canonical text';
    }),
    text('tile path', paths, (input) => {
      const parsed = parseTilePath(input);
      if (isDenial(parsed)) return 'refused';
      return formatTilePath(parsed) === input ? 'accepted' : 'not the canonical path';
    }),
    {
      name: 'entry bundle',
      feed(random) {
        const input = mutateBytes(random, pickFrom(random, bundles));
        const entries = parseEntryBundle(input, random.between(0, 3));
        if (isDenial(entries)) return 'refused';
        const again = entries.length === 0 ? Buffer.alloc(0) : Buffer.from(encodeEntryBundle(entries));
        return again.equals(input) ? 'accepted' : 'not the canonical bytes';
      },
    },
  ];
}

function text(name: string, samples: readonly string[], judge: (input: string) => Verdict): FuzzTarget {
  return {
    name,
    feed: (random) => judge(hostileText(random, samples)),
  };
}

function hostileText(random: Random, samples: readonly string[]): string {
  if (random.chance(0.03)) return soup(random);
  return mutateText(random, pickFrom(random, samples), pickFrom(random, samples));
}
