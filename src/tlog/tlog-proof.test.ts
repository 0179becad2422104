import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import {
  COSIGNATURE_V1,
  formatCheckpoint,
  formatTlogProof,
  leafHash,
  MerkleTree,
  noteCosigner,
  noteSigner,
  noteVerifier,
  parseTlogProof,
  signNote,
  type TlogProof,
  verifyTlogProof,
} from './index.ts';

const logKey = SigningKey.fromSeed(new Uint8Array(32).fill(1));
const witnessKey = SigningKey.fromSeed(new Uint8Array(32).fill(2));
const logVerifier = noteVerifier('example.com/log', logKey.publicKey);
const witnessVerifier = noteVerifier('w.example', witnessKey.publicKey, COSIGNATURE_V1);
const entry = (index: number) => Buffer.from(`entry ${index}`);
const tree = new MerkleTree();
for (let index = 0; index < 300; index += 1) tree.append(leafHash(entry(index)));
const checkpoint = signNote(
  formatCheckpoint({ origin: 'example.com/log', size: 300, rootHash: tree.root() }),
  [noteSigner('example.com/log', logKey), noteCosigner('w.example', witnessKey, () => 1_700_000_000)],
);
const proofOf = (index: number): TlogProof => ({ index, proof: tree.inclusionProof(index), checkpoint });
const code = (value: unknown) => (isDenial(value) ? value.code : 'accepted');

function parse(text: string): TlogProof {
  const parsed = parseTlogProof(text);
  if (isDenial(parsed)) throw new Error(parsed.detail);
  return parsed;
}

describe('a log proof', () => {
  it('is the text of the specification', () => {
    const text = formatTlogProof({ ...proofOf(7), extra: Buffer.from('age-v1.2.1-darwin-arm64.tar.gz') });
    const lines = text.split('\n');
    expect(lines.slice(0, 3)).toEqual([
      'c2sp.org/tlog-proof@v1',
      'extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6',
      'index 7',
    ]);
    expect(lines.slice(3, 12).every((line) => line.length === 44)).toBe(true);
    expect(lines[12]).toBe('');
    expect(text.endsWith(`\n\n${checkpoint}`)).toBe(true);
  });

  it('round trips and verifies for every entry', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 299 }),
        fc.option(fc.uint8Array(), { nil: undefined }),
        (index, extra) => {
          const text = formatTlogProof({ ...proofOf(index), ...(extra === undefined ? {} : { extra }) });
          const parsed = parse(text);
          expect(formatTlogProof(parsed)).toBe(text);
          expect(parse(text).extra?.byteLength).toBe(extra?.byteLength);
          const verified = verifyTlogProof(parsed, leafHash(entry(index)), logVerifier, [witnessVerifier]);
          expect(verified).toMatchObject({
            index,
            checkpoint: { size: 300, cosignatures: [{ name: 'w.example' }] },
          });
          expect(code(verifyTlogProof(parsed, leafHash(entry(index + 1)), logVerifier))).toBe(
            'log.unavailable',
          );
          expect(
            code(
              verifyTlogProof({ ...parsed, index: (index + 1) % 300 }, leafHash(entry(index)), logVerifier),
            ),
          ).toBe('log.unavailable');
        },
      ),
    );
  });

  it('of a tree of one has no hashes', () => {
    const single = new MerkleTree();
    single.append(leafHash(entry(0)));
    const note = signNote(formatCheckpoint({ origin: 'example.com/log', size: 1, rootHash: single.root() }), [
      noteSigner('example.com/log', logKey),
    ]);
    const text = formatTlogProof({ index: 0, proof: [], checkpoint: note });
    expect(text.startsWith('c2sp.org/tlog-proof@v1\nindex 0\n\nexample.com/log\n1\n')).toBe(true);
    expect(code(verifyTlogProof(parse(text), leafHash(entry(0)), logVerifier))).toBe('accepted');
  });

  it('of a checkpoint by another key is denied', () => {
    const other = noteVerifier('example.com/log', witnessKey.publicKey);
    expect(code(verifyTlogProof(proofOf(3), leafHash(entry(3)), other))).toBe('log.unavailable');
  });

  const good = formatTlogProof({ ...proofOf(7), extra: Buffer.from('x') });
  const hash = good.split('\n')[3] ?? '';
  it.each([
    ['another version', good.replace('@v1', '@v2')],
    ['no header', good.slice(good.indexOf('\n') + 1)],
    ['no index', good.replace('index 7\n', '')],
    ['a leading zero', good.replace('index 7', 'index 07')],
    ['a negative index', good.replace('index 7', 'index -1')],
    ['an index beyond 2^53', good.replace('index 7', 'index 9007199254740992')],
    ['extra data after the index', good.replace('extra eA==\nindex 7', 'index 7\nextra eA==')],
    ['extra data twice', good.replace('extra eA==', 'extra eA==\nextra eA==')],
    ['extra data that is not base64', good.replace('eA==', 'eA')],
    ['a short hash', good.replace(hash, Buffer.alloc(31).toString('base64'))],
    ['a hash in base64url', good.replace(hash, `${hash.slice(0, 41)}-_=`)],
    [
      '64 hashes',
      good.replace(
        hash,
        Array(64 - 8)
          .fill(hash)
          .join('\n'),
      ),
    ],
    ['endless hashes', good.replace(hash, Array(10_000).fill(hash).join('\n'))],
    ['no checkpoint', good.slice(0, good.indexOf('\n\n') + 2)],
    ['no blank line', good.replaceAll('\n\n', '\n')],
    ['carriage returns', good.replaceAll('\n', '\r\n')],
    ['a checkpoint without signatures', good.slice(0, good.lastIndexOf('\n\n') + 1)],
    ['endless text', good + 'A'.repeat(2_000_000)],
  ])('with %s is denied', (_, text) => {
    expect(code(parseTlogProof(text))).toBe('request.malformed');
  });

  it('is not written with fields that would not parse', () => {
    expect(() => formatTlogProof({ ...proofOf(1), index: -1 })).toThrow(TypeError);
    expect(() => formatTlogProof({ ...proofOf(1), proof: [new Uint8Array(31)] })).toThrow(TypeError);
    expect(() => formatTlogProof({ ...proofOf(1), checkpoint: 'hello' })).toThrow(TypeError);
  });
});
