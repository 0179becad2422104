import { describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { hasMlDsa, MlDsaSigningKey, SigningKey } from '../key/index.ts';
import { cosignedSubtree } from './cosigned-message.ts';
import {
  COSIGNATURE_V1,
  checkQuorum,
  ED25519,
  formatCheckpoint,
  formatVkey,
  ML_DSA_44,
  noteCosigner,
  noteSigner,
  noteVerifier,
  openCheckpoint,
  openNote,
  parseVkey,
  parseWitnessPolicy,
  signatureLine,
  signNote,
} from './index.ts';

const ROOT = new Uint8Array(32).fill(7);
const text = formatCheckpoint({ origin: 'log.example', size: 5, rootHash: ROOT });
const extended = formatCheckpoint({ origin: 'log.example', size: 5, rootHash: ROOT, extensions: ['more'] });

describe('the message of a subtree cosignature', () => {
  it('is the structure of the specification, byte for byte', () => {
    const message = Buffer.from(cosignedSubtree('w.example', 0x0102, text) ?? []).toString('hex');
    const expected = [
      Buffer.from('subtree/v1\n\0').toString('hex'),
      `09${Buffer.from('w.example').toString('hex')}`,
      '0000000000000102',
      `0b${Buffer.from('log.example').toString('hex')}`,
      '0000000000000000',
      '0000000000000005',
      '07'.repeat(32),
    ];
    expect(message).toBe(expected.join(''));
  });

  it('is none for what it would not cover', () => {
    expect(cosignedSubtree('w.example', 1, extended)).toBeUndefined();
    expect(cosignedSubtree('w.example', 1, 'text\n')).toBeUndefined();
    expect(cosignedSubtree('w'.repeat(256), 1, text)).toBeUndefined();
  });
});

// Needs OpenSSL 3.5, which Node 24 carries.
describe.skipIf(!hasMlDsa())('an ML-DSA-44 cosignature', () => {
  const key = MlDsaSigningKey.generate();
  const vkey = formatVkey('w.example', key.publicKey);
  const verifier = noteVerifier('w.example', key.publicKey);
  const log = noteSigner('log.example', SigningKey.fromSeed(new Uint8Array(32).fill(1)));
  const logKey = noteVerifier('log.example', SigningKey.fromSeed(new Uint8Array(32).fill(1)).publicKey);
  const line = signatureLine(
    text,
    noteCosigner('w.example', key, () => 1_700_000_000),
  );

  it('opens beside the signature of the log, and meets a policy', () => {
    const parsed = parseVkey(vkey);
    if (isDenial(parsed)) throw new Error(parsed.detail);
    expect(parsed).toMatchObject({ name: 'w.example', keyId: verifier.keyId, type: ML_DSA_44 });
    expect(formatVkey(parsed.name, parsed.key)).toBe(vkey);
    const opened = openCheckpoint(`${signNote(text, [log])}${line}`, logKey, [parsed]);
    if (isDenial(opened)) throw new Error(opened.detail);
    expect(opened.cosignatures).toMatchObject([{ type: ML_DSA_44, timestampSeconds: 1_700_000_000 }]);
    const policy = parseWitnessPolicy(`witness w ${vkey}\nquorum w\n`);
    if (isDenial(policy)) throw new Error(policy.detail);
    expect(checkQuorum(policy, opened.cosignatures)).toEqual({ met: true });
  });

  it.each([
    ['another size', formatCheckpoint({ origin: 'log.example', size: 6, rootHash: ROOT })],
    ['another root', formatCheckpoint({ origin: 'log.example', size: 5, rootHash: ROOT.map(() => 8) })],
    ['another log', formatCheckpoint({ origin: 'log.example2', size: 5, rootHash: ROOT })],
    ['an extension line', extended],
  ])('is none of a checkpoint with %s', (_, other) => {
    expect(isDenial(openNote(`${other}\n${line}`, [verifier]))).toBe(true);
  });

  it('is bound to the cosigner’s name, its time and its key', () => {
    const other = noteVerifier('w2.example', key.publicKey);
    const renamed = signatureLine(text, {
      ...other,
      sign: () => noteCosigner('w.example', key, () => 1).sign(text),
    });
    expect(isDenial(openNote(`${text}\n${renamed}`, [other]))).toBe(true);
    const bytes = Buffer.from(line.split(' ')[2] ?? '', 'base64');
    bytes[11] = (bytes[11] ?? 0) ^ 1;
    expect(isDenial(openNote(`${text}\n\u2014 w.example ${bytes.toString('base64')}\n`, [verifier]))).toBe(
      true,
    );
    const stranger = MlDsaSigningKey.generate();
    const forged = signatureLine(text, {
      ...verifier,
      sign: () => noteCosigner('w.example', stranger, () => 1).sign(text),
    });
    expect(isDenial(openNote(`${text}\n${forged}`, [verifier]))).toBe(true);
  });

  it('is not made of what it would not cover, nor by a key of another kind', () => {
    expect(() =>
      signatureLine(
        extended,
        noteCosigner('w.example', key, () => 1),
      ),
    ).toThrow(TypeError);
    expect(() => noteVerifier('w', key.publicKey, COSIGNATURE_V1)).toThrow(TypeError);
    expect(() => noteVerifier('w', key.publicKey, ED25519)).toThrow(TypeError);
    expect(() => noteVerifier('w', SigningKey.generate().publicKey, ML_DSA_44)).toThrow(TypeError);
  });

  it('needs a whole key', () => {
    const cut = Buffer.concat([Buffer.of(ML_DSA_44), key.publicKey.bytes.subarray(1)]).toString('base64');
    expect(isDenial(parseVkey(vkey.replace(/[^+]+$/, cut)))).toBe(true);
  });

  it('is of a key whose PEM comes back as it was', () => {
    const again = MlDsaSigningKey.fromPem(key.toPem(), 'request.malformed');
    expect(isDenial(again) ? '' : again.publicKey.thumbprint).toBe(key.publicKey.thumbprint);
    expect(isDenial(MlDsaSigningKey.fromPem(SigningKey.generate().toPem(), 'request.malformed'))).toBe(true);
  });
});
