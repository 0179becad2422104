import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
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
  peekCheckpoint,
  signNote,
  verifyTlogProof,
} from './index.ts';

const RUNS = 10_000;

const key = SigningKey.fromSeed(new Uint8Array(32).fill(1));
const verifier = noteVerifier('example.com/log', key.publicKey);
const tree = new MerkleTree();
for (let index = 0; index < 5; index += 1) tree.append(leafHash(Buffer.of(index)));
const body = formatCheckpoint({ origin: 'example.com/log', size: 5, rootHash: tree.root() });
const note = signNote(body, [noteSigner('example.com/log', key)]);
const proof = formatTlogProof({
  extra: Buffer.from('x'),
  index: 3,
  proof: tree.inclusionProof(3),
  checkpoint: note,
});
const vkey = formatVkey('example.com/log', key.publicKey);
const bundle = Buffer.from(encodeEntryBundle([Buffer.from('one'), Buffer.from('two')]));

const SPICE = [
  '\n',
  '\n\n',
  '\u2014 ',
  ' ',
  '+',
  '=',
  '\u0000',
  '\ud800',
  '\u00a0',
  '0',
  '-1',
  '../',
  '.p/',
  'x',
  'é',
];

/** Strings of any kind, and valid text with a piece cut out, doubled or replaced. */
function mutantsOf(valid: string): fc.Arbitrary<string> {
  const edit = fc.tuple(
    fc.nat(),
    fc.nat(12),
    fc.oneof(fc.constantFrom(...SPICE), fc.string({ maxLength: 4 })),
  );
  const edited = fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) =>
    edits.reduce((text, [pick, cut, insert]) => {
      const at = pick % (text.length + 1);
      return text.slice(0, at) + insert + text.slice(at + cut);
    }, valid),
  );
  return fc.oneof(
    { weight: 4, arbitrary: edited },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
    {
      weight: 1,
      arbitrary: fc.array(fc.constantFrom(...SPICE), { maxLength: 30 }).map((parts) => parts.join('')),
    },
  );
}

function flip(bytes: Buffer, at: number, mask: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ mask;
  return bytes;
}

/** Asserts that `parse` answers every mutant, and that what it accepts `isSound`. */
function withstands<T>(
  valid: string,
  parse: (text: string) => T,
  isSound: (text: string, value: T) => boolean,
): void {
  expect(isDenial(parse(valid))).toBe(false);
  fc.assert(
    fc.property(mutantsOf(valid), (text) => {
      const value = parse(text);
      return isDenial(value) || isSound(text, value);
    }),
    { numRuns: RUNS },
  );
}

describe('no input makes a parser throw or accept what it should not', () => {
  it('openNote: only the signed text', () => {
    withstands(
      note,
      (text) => openNote(text, [verifier]),
      (_, opened) => isDenial(opened) || opened.text === body,
    );
  });

  it('openNote, as bytes', () => {
    const flipped = fc.tuple(fc.nat(Buffer.byteLength(note) - 1), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(fc.oneof(flipped, fc.uint8Array({ maxLength: 60 })), (input) => {
        const bytes = input instanceof Uint8Array ? input : flip(Buffer.from(note), ...input);
        return isDenial(openNote(bytes, [verifier]));
      }),
      { numRuns: RUNS },
    );
  });

  it('openCheckpoint: only the signed tree head', () => {
    withstands(
      note,
      (text) => openCheckpoint(text, verifier),
      (_, head) => isDenial(head) || (head.size === 5 && head.origin === 'example.com/log'),
    );
  });

  it('parseCheckpoint: only canonical text', () => {
    withstands(body, parseCheckpoint, (text, head) => isDenial(head) || formatCheckpoint(head) === text);
  });

  it('peekCheckpoint', () => {
    withstands(
      note,
      peekCheckpoint,
      (text, head) => isDenial(head) || text.startsWith(formatCheckpoint(head)),
    );
  });

  it('parseVkey: only canonical text', () => {
    withstands(
      vkey,
      parseVkey,
      (text, key) => isDenial(key) || formatVkey(key.name, key.key, key.type) === text,
    );
  });

  it('parseTilePath: only canonical paths', () => {
    const path = 'tile/1/x001/x234/067.p/25';
    withstands(path, parseTilePath, (text, tile) => isDenial(tile) || formatTilePath(tile) === text);
  });

  it('parseTlogProof: only canonical text, and only true proofs verify', () => {
    const leaf = leafHash(Buffer.of(3));
    withstands(proof, parseTlogProof, (text, parsed) => {
      if (isDenial(parsed)) return true;
      const verified = verifyTlogProof(parsed, leaf, verifier);
      const isTrue = isDenial(verified) || (verified.index === 3 && verified.checkpoint.size === 5);
      return isTrue && formatTlogProof(parsed) === text;
    });
  });

  it('parseEntryBundle: only canonical bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.nat(bundle.length - 1), fc.nat(255), fc.nat(3)).map(([at, value, cut]) => {
        const copy = Buffer.from(bundle);
        copy[at] = value;
        return copy.subarray(0, copy.length - cut);
      }),
    );
    fc.assert(
      fc.property(bytes, fc.integer({ min: 0, max: 4 }), (input, width) => {
        const entries = parseEntryBundle(input, width);
        if (isDenial(entries)) return true;
        return entries.length === 0
          ? input.length === 0
          : Buffer.from(encodeEntryBundle(entries)).equals(input);
      }),
      { numRuns: RUNS },
    );
  });
});
