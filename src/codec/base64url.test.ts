import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { decodeBase64url, encodeBase64url } from './index.ts';

describe('base64url', () => {
  it('gives back the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodeBase64url(encodeBase64url(bytes), 'request.malformed')).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('encodes a view, not the buffer below it', () => {
    expect(encodeBase64url(Uint8Array.of(0, 1, 2, 3).subarray(1, 3))).toBe('AQI');
  });

  it.each([['YR'], ['YQ=='], ['YQ='], ['A'], ['YW+/'], ['Y Q'], ['YQ\n'], ['YQ.'], ['é']])(
    'refuses %j',
    (text) => {
      const result = decodeBase64url(text, 'artifact.malformed');
      expect(isDenial(result) && result.code).toBe('artifact.malformed');
    },
  );

  it('has one spelling for each value', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), (text) => {
        const bytes = decodeBase64url(text, 'request.malformed');
        if (!isDenial(bytes)) expect(encodeBase64url(bytes)).toBe(text);
      }),
    );
  });
});
