import { describe, expect, it } from 'vitest';
import { encodeBase64url } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { parsePublicJwk, SigningKey, VerificationKey } from './index.ts';
import { isUnsafePoint } from './unsafe-point.ts';

/** All encodings of points of small order, and others with y ≥ p (RFC 8032 §5.1.3). */
const UNSAFE = [
  `01${'00'.repeat(31)}`,
  `01${'00'.repeat(30)}80`,
  `ec${'ff'.repeat(30)}7f`,
  `ec${'ff'.repeat(31)}`,
  '00'.repeat(32),
  `${'00'.repeat(31)}80`,
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  `ed${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(31)}`,
  `ee${'ff'.repeat(30)}7f`,
  'ff'.repeat(32),
];

const key = SigningKey.fromSeed(new Uint8Array(32).fill(1)).publicKey;

function denialOf(jwk: unknown): string | undefined {
  const result = parsePublicJwk(jwk, 'artifact.malformed');
  return isDenial(result) ? result.detail : undefined;
}

describe('VerificationKey', () => {
  it('has the RFC 7638 thumbprint of RFC 8037 appendix A.3', () => {
    const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
    const parsed = parsePublicJwk({ kty: 'OKP', crv: 'Ed25519', x }, 'artifact.malformed');
    if (isDenial(parsed)) throw new TypeError(parsed.detail);
    expect(parsed.thumbprint).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
    expect(parsed.thumbprintUri).toBe(`urn:ietf:params:oauth:jwk-thumbprint:sha-256:${parsed.thumbprint}`);
    expect(encodeBase64url(parsed.bytes)).toBe(x);
  });

  it.each(UNSAFE)('refuses %s', (hex) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(isUnsafePoint(bytes)).toBe(true);
    expect(() => new VerificationKey(bytes)).toThrow(TypeError);
    expect(denialOf({ kty: 'OKP', crv: 'Ed25519', x: encodeBase64url(bytes) })).toMatch(/small-order/);
  });

  it('does not refuse ordinary keys', () => {
    for (let seed = 0; seed < 64; seed += 1) {
      const { publicKey } = SigningKey.fromSeed(new Uint8Array(32).fill(seed));
      expect(isUnsafePoint(publicKey.bytes)).toBe(false);
    }
  });

  it('verifies what its private half signed and nothing else, without throwing', () => {
    const signer = SigningKey.generate();
    const data = Buffer.from('data');
    const signature = signer.sign(data);
    expect(signer.publicKey.verify(data, signature)).toBe(true);
    expect(signer.publicKey.verify(Buffer.from('Data'), signature)).toBe(false);
    expect(key.verify(data, signature)).toBe(false);
    for (const wrong of [new Uint8Array(0), signature.slice(1), Buffer.concat([signature, Buffer.of(0)])]) {
      expect(signer.publicKey.verify(data, wrong)).toBe(false);
    }
  });

  it('refuses a signature whose scalar is not reduced (RFC 8032 §5.1.7)', () => {
    const signer = SigningKey.fromSeed(new Uint8Array(32).fill(9));
    const data = Buffer.from('x');
    const signature = Buffer.from(signer.sign(data));
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    let scalar = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
    for (let index = 32; index < 64; index += 1) {
      signature[index] = Number(scalar & 0xffn);
      scalar >>= 8n;
    }
    expect(signer.publicKey.verify(data, signature)).toBe(false);
  });
});

describe('parsePublicJwk', () => {
  const { jwk } = key;

  it('gives one object for one key', () => {
    expect(parsePublicJwk({ ...jwk }, 'artifact.malformed')).toBe(
      parsePublicJwk({ ...jwk, kid: 'a', alg: 'Ed25519', use: 'sig' }, 'artifact.malformed'),
    );
  });

  it.each([
    ['no object', 'x'],
    ['null', null],
    ['an array', [jwk]],
    ['a private key', { ...jwk, d: 'AA' }],
    ['a private parameter that is null', { ...jwk, d: null }],
    ['a symmetric key', { kty: 'oct', k: 'AA' }],
    ['another curve', { ...jwk, crv: 'Ed448' }],
    ['another key type', { ...jwk, kty: 'EC' }],
    ['another algorithm', { ...jwk, alg: 'HS256' }],
    ['an encryption key', { ...jwk, use: 'enc' }],
    ['x absent', { kty: 'OKP', crv: 'Ed25519' }],
    ['x a number', { ...jwk, x: 1 }],
    ['x padded', { ...jwk, x: `${jwk.x}=` }],
    ['x in base64', { ...jwk, x: `+${jwk.x.slice(1)}` }],
    ['x of 31 bytes', { ...jwk, x: encodeBase64url(key.bytes.slice(1)) }],
    ['x of 33 bytes', { ...jwk, x: encodeBase64url(Buffer.concat([key.bytes, Buffer.of(0)])) }],
  ])('refuses %s', (_, value) => {
    expect(denialOf(value)).toBeDefined();
  });

  it('refuses a bad jwk of a key that is cached', () => {
    expect(denialOf(jwk)).toBeUndefined();
    expect(denialOf({ ...jwk, d: 'AA' })).toMatch(/private parameter d/);
  });
});
