import { describe, expect, it } from 'vitest';
import { canonicalize, digestOf, isDigest, jsonEquals, sha256, sha256Base64url } from './index.ts';

describe('canonicalize (RFC 8785)', () => {
  it('sorts by UTF-16 code units and writes numbers as ECMAScript does', () => {
    expect(
      canonicalize({ '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, ö: 7 }),
    ).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}');
    expect(canonicalize([333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, -0])).toBe(
      '[333333333.3333333,1e+30,4.5,0.002,1e-27,0]',
    );
  });

  it('throws on what is not JSON', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, '\ud800', { a: '\udc00' }]) {
      expect(() => canonicalize(value)).toThrow();
    }
  });
});

describe('jsonEquals', () => {
  it('compares canonical forms', () => {
    expect(jsonEquals({ a: 1, b: [2] }, { b: [2], a: 1 })).toBe(true);
    expect(jsonEquals([1, 2], [2, 1])).toBe(false);
    expect(jsonEquals(0, -0)).toBe(true);
    expect(jsonEquals('1', 1)).toBe(false);
    expect(jsonEquals(null, {})).toBe(false);
    expect(jsonEquals([], {})).toBe(false);
  });
});

describe('digests', () => {
  it('are SHA-256 in their two forms', () => {
    const hex = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(digestOf('abc')).toBe(`sha256:${hex}`);
    expect(sha256Base64url('abc')).toBe(Buffer.from(hex, 'hex').toString('base64url'));
    expect(sha256(Buffer.from('a'), Buffer.from('bc'))).toEqual(Buffer.from(hex, 'hex'));
    expect(isDigest(`sha256:${hex}`)).toBe(true);
    for (const text of [
      hex,
      `sha256:${hex.toUpperCase()}`,
      `sha256:${hex}0`,
      `sha256:${hex}\n`,
      7,
      undefined,
    ]) {
      expect(isDigest(text)).toBe(false);
    }
  });
});
