import { describe, expect, it } from 'vitest';
import { EvidenceSeal, unsealEvidence } from './evidence-seal.ts';

const KEY = new Uint8Array(32).fill(1);
const SECRET = Buffer.from('what the agent was asked to do');

describe('sealed evidence', () => {
  const blob = new EvidenceSeal(KEY).seal('address', SECRET);

  it('opens with its key and address alone', () => {
    expect(unsealEvidence(KEY, 'address', blob)).toEqual(SECRET);
    expect(unsealEvidence(new Uint8Array(32), 'address', blob)).toBeUndefined();
    expect(unsealEvidence(KEY, 'other', blob)).toBeUndefined();
  });

  it('does not open once a bit of it has changed', () => {
    for (const part of ['wrappedKey', 'sealed'] as const) {
      for (let at = 0; at < blob[part].byteLength; at += 1) {
        const changed = Uint8Array.from(blob[part]);
        changed[at] = (changed[at] ?? 0) ^ 1;
        expect(unsealEvidence(KEY, 'address', { ...blob, [part]: changed })).toBeUndefined();
      }
      expect(unsealEvidence(KEY, 'address', { ...blob, [part]: new Uint8Array() })).toBeUndefined();
    }
  });

  it('never repeats a key or a byte of the plaintext', () => {
    const again = new EvidenceSeal(KEY).seal('address', SECRET);
    expect(Buffer.from(again.sealed).equals(blob.sealed)).toBe(false);
    expect(Buffer.from(blob.sealed).includes(SECRET)).toBe(false);
  });

  it('takes keys of 32 bytes only', () => {
    expect(() => new EvidenceSeal(new Uint8Array(31))).toThrow(TypeError);
  });
});
