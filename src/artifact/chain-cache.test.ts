import { beforeEach, describe, expect, it } from 'vitest';
import { ISSUER, KEYS, type Made, NOW, type Overrides, TokenMaker } from '../../test/vectors/token-maker.ts';
import { isDenial } from '../denial/index.ts';
import {
  type ArtifactLimits,
  ChainCache,
  type TrustAnchor,
  type VerifiedChain,
  verifyChain,
} from './index.ts';

const anchors: readonly TrustAnchor[] = [{ iss: ISSUER, key: KEYS.issuer.publicKey }];

describe('ChainCache', () => {
  let maker: TokenMaker;
  let cache: ChainCache;
  beforeEach(() => {
    maker = new TokenMaker();
    cache = new ChainCache(3);
  });

  function answer(
    tokens: readonly Made[],
    context: {
      nowSeconds?: number;
      anchors?: readonly TrustAnchor[];
      limits?: Partial<ArtifactLimits>;
      cache?: ChainCache;
    } = {},
  ): VerifiedChain | string {
    const chain = tokens.map(({ compact }) => compact);
    const result = verifyChain(chain, { anchors, nowSeconds: NOW, cache, ...context });
    return isDenial(result) ? result.code : result;
  }

  function pair(overrides: Overrides = {}): readonly Made[] {
    const root = maker.root(overrides);
    return [root, maker.child(root)];
  }

  it('gives the same chain back while it stands', () => {
    const chain = pair();
    const first = answer(chain);
    expect(first).toBeTypeOf('object');
    expect(answer(chain, { nowSeconds: NOW + 10 })).toBe(first);
    expect(cache.size).toBe(1);
  });

  it('does not outlive the expiry of any token', () => {
    const root = maker.root();
    const chain = [root, maker.child(root, { exp: NOW + 5 })];
    expect(answer(chain)).toBeTypeOf('object');
    expect(answer(chain, { nowSeconds: NOW + 4.999 })).toBeTypeOf('object');
    expect(answer(chain, { nowSeconds: NOW + 5 })).toBe('artifact.expired');
    expect(cache.size).toBe(0);
  });

  it('does not survive a clock that goes back before iat or nbf', () => {
    const chain = pair({ nbf: NOW });
    expect(answer(chain)).toBeTypeOf('object');
    expect(answer(chain, { nowSeconds: NOW - 1 })).toBe('artifact.not_yet_valid');
    expect(answer(pair(), { nowSeconds: NOW })).toBeTypeOf('object');
    expect(answer(pair(), { nowSeconds: NOW - 1000 })).toBe('artifact.not_yet_valid');
  });

  it('does not survive its anchor', () => {
    const chain = pair();
    expect(answer(chain)).toBeTypeOf('object');
    expect(answer(chain, { anchors: [] })).toBe('artifact.untrusted_issuer');
    expect(answer(chain)).toBeTypeOf('object');
    const rotated = [{ iss: ISSUER, key: KEYS.otherIssuer.publicKey }];
    expect(answer(chain, { anchors: rotated })).toBe('artifact.signature_invalid');
    expect(answer(chain)).toBeTypeOf('object');
    const renamed = [{ iss: 'https://other.example', key: KEYS.issuer.publicKey }];
    expect(answer(chain, { anchors: renamed })).toBe('artifact.untrusted_issuer');
  });

  it('does not survive stricter limits', () => {
    const chain = pair();
    expect(answer(chain)).toBeTypeOf('object');
    expect(answer(chain, { limits: { maxTokenLifetimeSeconds: 60 } })).toBe('artifact.malformed');
    expect(answer(chain, { limits: { maxDelegationDepth: 2 } })).toBe('artifact.malformed');
    expect(answer(chain, { limits: { maxTokenBytes: 100 } })).toBe('artifact.malformed');
  });

  it('never remembers a chain that was denied', () => {
    const root = maker.root();
    expect(answer([root, maker.child(root, { exp: NOW + 9999 })])).toBe('artifact.attenuation_invalid');
    expect(cache.size).toBe(0);
  });

  it('forgets the least recently used first', () => {
    const chains = [pair(), pair(), pair(), pair()] as const;
    const first = answer(chains[0]);
    const second = answer(chains[1]);
    answer(chains[2]);
    expect(answer(chains[0])).toBe(first);
    answer(chains[3]);
    expect(cache.size).toBe(3);
    expect(answer(chains[0])).toBe(first);
    const again = answer(chains[1]);
    expect(again).toBeTypeOf('object');
    expect(again).not.toBe(second);
  });

  it('is bounded in bytes too', () => {
    const small = new ChainCache(1000, 4000);
    for (let index = 0; index < 20; index += 1) answer(pair(), { cache: small });
    expect(small.size).toBeLessThan(4);
    expect(answer(pair({ pad: 'x'.repeat(4000) }), { cache: small })).toBeTypeOf('object');
    expect(small.size).toBeGreaterThan(0);
  });

  it('tells chains with one boundary moved apart', () => {
    const chain = pair();
    expect(answer(chain)).toBeTypeOf('object');
    const joined = chain.map(({ compact }) => compact).join('\n');
    const result = verifyChain([joined], { anchors, nowSeconds: NOW, cache });
    expect(isDenial(result) && result.code).toBe('artifact.malformed');
  });

  it('refuses to be of no size', () => {
    expect(() => new ChainCache(0)).toThrow(TypeError);
    expect(() => new ChainCache(Number.NaN)).toThrow(TypeError);
  });
});
