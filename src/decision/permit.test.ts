import { describe, expect, it } from 'vitest';
import { digestOf } from '../codec/index.ts';
import { digestOfRequest, issuePermit, Permit } from './permit.ts';

describe('Permit', () => {
  const digest = digestOf('request');

  it('cannot be made, copied or imitated outside decide', () => {
    expect(() => new Permit(Symbol('permit'), digest)).toThrow(TypeError);
    const permit = issuePermit(digest);
    expect(Permit.isPermit({ ...permit })).toBe(false);
    expect(Permit.isPermit(Object.create(Permit.prototype))).toBe(false);
    expect(Permit.isPermit(structuredClone({ requestDigest: digest }))).toBe(false);
    expect(() => Object.assign(permit, { requestDigest: digestOf('other') })).toThrow(TypeError);
  });

  it('is not forged by a subclass, a proxy, a patched method or a borrowed one', () => {
    class Forged extends Permit {
      constructor() {
        super(Symbol('permit'), digest);
      }
    }
    expect(() => new Forged()).toThrow(TypeError);
    expect(() => Reflect.construct(Permit, [Symbol('permit'), digest], Object)).toThrow(TypeError);
    const permit = issuePermit(digest);
    const proxy = new Proxy(permit, {});
    expect(Permit.isPermit(proxy)).toBe(false);
    expect(() => proxy.redeem(digest)).toThrow(TypeError);
    expect(() => permit.redeem.call(Object.create(permit), digest)).toThrow(TypeError);
    expect(() => Object.assign(Permit, { isPermit: () => true })).toThrow(TypeError);
    expect(() => Object.assign(Permit.prototype, { redeem: () => true })).toThrow(TypeError);
    expect(() => Object.setPrototypeOf(permit, { redeem: () => true })).toThrow(TypeError);
    expect(Permit.isPermit(structuredClone(permit))).toBe(false);
    expect(permit.redeem(digest)).toBe(true);
  });

  it('is spent once, and only for the request it was made for', () => {
    const permit = issuePermit(digest);
    expect(permit.redeem(digestOf('other'))).toBe(false);
    expect(permit.redeem(digest)).toBe(true);
    expect(permit.redeem(digest)).toBe(false);
  });

  it('binds tool, arguments and proof without ambiguity', () => {
    const digests = [
      digestOfRequest('a', '{}', 'p'),
      digestOfRequest('a\n{}', '', 'p'),
      digestOfRequest('a', '{}\np', ''),
      digestOfRequest('b', '{}', 'p'),
      digestOfRequest('a', '{}', 'q'),
    ];
    // A proof is compact base64url and JCS has no line breaks outside of strings, where they are escaped.
    expect(new Set(digests.filter((_, index) => index !== 2)).size).toBe(4);
  });
});
