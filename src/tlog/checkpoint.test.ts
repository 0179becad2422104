import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import {
  COSIGNATURE_V1,
  EMPTY_ROOT,
  formatCheckpoint,
  noteCosigner,
  noteSigner,
  noteVerifier,
  openCheckpoint,
  parseCheckpoint,
  peekCheckpoint,
  signatureLine,
  signNote,
} from './index.ts';
import { isNoteText } from './note-text.ts';

const logKey = SigningKey.fromSeed(new Uint8Array(32).fill(1));
const witnessKey = SigningKey.fromSeed(new Uint8Array(32).fill(2));
const log = noteSigner('example.com/log', logKey);
const logVerifier = noteVerifier('example.com/log', logKey.publicKey);
const witness = noteCosigner('witness.example', witnessKey, () => 1_700_000_000);
const witnessVerifier = noteVerifier('witness.example', witnessKey.publicKey, COSIGNATURE_V1);
const ROOT = new Uint8Array(32).fill(7);
const ROOT_TEXT = Buffer.from(ROOT).toString('base64');

/** The body of the example of C2SP tlog-checkpoint. */
const EXAMPLE = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';

describe('checkpoint text', () => {
  it('parses the example of the specification and writes it the same', () => {
    const parsed = parseCheckpoint(EXAMPLE);
    if (isDenial(parsed)) throw new Error(parsed.detail);
    expect(parsed).toMatchObject({ origin: 'example.com/behind-the-sofa', size: 20_852_163 });
    expect(Buffer.from(parsed.rootHash).toString('hex').slice(0, 8)).toBe('0ac5186a');
    expect(formatCheckpoint(parsed)).toBe(EXAMPLE);
  });

  it('round trips', () => {
    const line = fc.string({ unit: 'grapheme', minLength: 1 }).filter(isNoteText);
    const root = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(line, fc.maxSafeNat(), root, fc.array(line), (origin, nat, rootHash, extensions) => {
        const size = nat + 1 > Number.MAX_SAFE_INTEGER ? nat : nat + 1;
        const parsed = parseCheckpoint(formatCheckpoint({ origin, size, rootHash, extensions }));
        if (isDenial(parsed)) throw new Error(parsed.detail);
        expect({ ...parsed, rootHash: Uint8Array.from(parsed.rootHash) }).toEqual({
          origin,
          size,
          rootHash,
          ...(extensions.length > 0 ? { extensions } : {}),
        });
      }),
    );
  });

  it.each([
    ['without a final newline', EXAMPLE.slice(0, -1)],
    ['of two lines', 'example.com/log\n1\n'],
    ['with an empty origin', `\n1\n${ROOT_TEXT}\n`],
    ['with an empty extension', `o\n1\n${ROOT_TEXT}\n\n`],
    ['with an empty line between', `o\n1\n\n${ROOT_TEXT}\n`],
    ['with a leading zero', `o\n01\n${ROOT_TEXT}\n`],
    ['with size 00', `o\n00\n${ROOT_TEXT}\n`],
    ['with a signed size', `o\n+1\n${ROOT_TEXT}\n`],
    ['with a negative size', `o\n-1\n${ROOT_TEXT}\n`],
    ['with a hex size', `o\n0x1\n${ROOT_TEXT}\n`],
    ['with an exponent', `o\n1e3\n${ROOT_TEXT}\n`],
    ['with a space around the size', `o\n 1\n${ROOT_TEXT}\n`],
    ['with other digits', `o\n\u0661\n${ROOT_TEXT}\n`],
    ['with a size of 2^53', `o\n9007199254740992\n${ROOT_TEXT}\n`],
    ['with a size of 2^64', `o\n18446744073709551616\n${ROOT_TEXT}\n`],
    ['with a short root', `o\n1\n${Buffer.alloc(31).toString('base64')}\n`],
    ['with a long root', `o\n1\n${Buffer.alloc(33).toString('base64')}\n`],
    ['with an unpadded root', `o\n1\n${ROOT_TEXT.slice(0, -1)}\n`],
    ['with trailing bits in its root', `o\n1\n${ROOT_TEXT.replace(/.=$/, 'd=')}\n`],
    ['with carriage returns', EXAMPLE.replaceAll('\n', '\r\n')],
    ['of the empty tree with another root', `o\n0\n${ROOT_TEXT}\n`],
  ])('%s is denied', (_, text) => {
    const parsed = parseCheckpoint(text);
    expect(isDenial(parsed) && parsed.code).toBe('log.unavailable');
  });

  it('of the empty tree carries the one root it can have', () => {
    const text = formatCheckpoint({ origin: 'o', size: 0, rootHash: EMPTY_ROOT });
    expect(parseCheckpoint(text)).toMatchObject({ size: 0 });
    expect(() => formatCheckpoint({ origin: 'o', size: 0, rootHash: ROOT })).toThrow(TypeError);
  });

  it('is not written with fields that would not parse', () => {
    const good = { origin: 'o', size: 1, rootHash: ROOT };
    for (const bad of [
      { ...good, origin: '' },
      { ...good, origin: 'a\nb' },
      { ...good, size: -1 },
      { ...good, size: 1.5 },
      { ...good, size: 2 ** 53 },
      { ...good, rootHash: new Uint8Array(31) },
      { ...good, extensions: [''] },
      { ...good, extensions: ['a\tb'] },
    ]) {
      expect(() => formatCheckpoint(bad)).toThrow(TypeError);
    }
  });
});

describe('opening a checkpoint', () => {
  const text = formatCheckpoint({ origin: 'example.com/log', size: 5, rootHash: ROOT });
  const note = signNote(text, [log]);
  const cosigned = `${note}${signatureLine(text, witness)}`;
  const detail = (value: unknown) => (isDenial(value) ? value.detail : 'accepted');

  it('gives the tree head and its verified cosignatures', () => {
    expect(openCheckpoint(cosigned, logVerifier, [witnessVerifier])).toMatchObject({
      origin: 'example.com/log',
      size: 5,
      logSignature: { name: 'example.com/log' },
      cosignatures: [{ name: 'witness.example', timestampSeconds: 1_700_000_000 }],
    });
    expect(openCheckpoint(cosigned, logVerifier)).toMatchObject({ cosignatures: [] });
  });

  it('denies one that only a witness signed', () => {
    const onlyWitness = signNote(text, [witness]);
    expect(detail(openCheckpoint(onlyWitness, logVerifier, [witnessVerifier]))).toBe(
      'checkpoint is not signed by its log',
    );
  });

  it('denies one whose origin is another log, though its key signed it', () => {
    const elsewhere = formatCheckpoint({ origin: 'example.com/other', size: 5, rootHash: ROOT });
    expect(detail(openCheckpoint(signNote(elsewhere, [log]), logVerifier))).toBe(
      'checkpoint is of another log',
    );
  });

  it('denies a signed note that is no checkpoint', () => {
    expect(detail(openCheckpoint(signNote('hello\n', [log]), logVerifier))).toContain(
      'fewer than three lines',
    );
  });

  it('denies one whose size was changed after signing', () => {
    expect(detail(openCheckpoint(note.replace('\n5\n', '\n6\n'), logVerifier))).toContain('does not verify');
  });

  it('can be peeked at without trusting it', () => {
    expect(peekCheckpoint(note)).toMatchObject({ size: 5 });
    expect(isDenial(peekCheckpoint(text))).toBe(true);
  });
});
