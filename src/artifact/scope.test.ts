import { describe, expect, it } from 'vitest';
import {
  capability,
  GATEWAY,
  ISSUER,
  KEYS,
  type Made,
  NOW,
  TokenMaker,
} from '../../test/vectors/token-maker.ts';
import type { JsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { checkScope, requiredCounters, type VerifiedChain, verifyChain, type WritClaim } from './index.ts';

const anchors = [{ iss: ISSUER, key: KEYS.issuer.publicKey }];

function verified(tokens: readonly Made[]): VerifiedChain {
  const chain = verifyChain(
    tokens.map(({ compact }) => compact),
    { anchors, nowSeconds: NOW },
  );
  if (isDenial(chain)) throw new TypeError(chain.detail);
  return chain;
}

function grant(map: JsonObject): { authorization_details: JsonObject[] } {
  return { authorization_details: [capability({ t: map })] };
}

describe('checkScope', () => {
  it('evaluates every ancestor, so that a link that slipped through widens nothing', () => {
    const maker = new TokenMaker();
    const narrow = verified([maker.root(grant({ x: { constraint_type: 'exact', value: 1 } }))]);
    const wide = verified([maker.root(grant({}))]);
    // What verifyChain would have to have missed: an ancestor that is narrower than the leaf.
    const forged: VerifiedChain = { ...wide, tokens: [narrow.leaf, wide.leaf] };
    expect(checkScope(forged, 't', { x: 1 }, NOW)).toBeUndefined();
    expect(checkScope(forged, 't', { x: 2 }, NOW)?.code).toBe('scope.arguments_not_granted');
    const without = verified([maker.root({ authorization_details: [capability({ other: {} })] })]);
    expect(checkScope({ ...wide, tokens: [without.leaf, wide.leaf] }, 't', {}, NOW)?.code).toBe(
      'scope.tool_not_granted',
    );
  });

  it('names the argument and never its value', () => {
    const chain = verified([
      new TokenMaker().root(grant({ x: { constraint_type: 'exact', value: 'allowed-secret' } })),
    ]);
    const denial = checkScope(chain, 't', { x: 'hunter2' }, NOW);
    expect(denial?.detail).toContain('"x"');
    expect(denial?.detail).not.toMatch(/hunter2|allowed-secret/);
  });

  it('throws for a time that is not one', () => {
    const chain = verified([new TokenMaker().root()]);
    expect(() => checkScope(chain, 't', {}, Number.NaN)).toThrow(TypeError);
  });
});

describe('requiredCounters', () => {
  const maker = new TokenMaker();
  function chainWith(...claims: readonly WritClaim[]): VerifiedChain {
    const tokens: Made[] = [];
    for (const writ of claims) {
      const parent = tokens.at(-1);
      const overrides = { aud: GATEWAY, writ, ...grant({}) };
      tokens.push(parent === undefined ? maker.root(overrides) : maker.child(parent, overrides));
    }
    return verified(tokens);
  }

  it('counts uses and budgets of every token of the chain', () => {
    const chain = chainWith(
      { use: { maxUses: 5, budgets: [{ argument: 'amount', total: 100 }] } },
      {},
      { use: { maxUses: 2 } },
    );
    const [root, , leaf] = chain.tokens;
    expect(requiredCounters(chain, { amount: 7.25 })).toEqual([
      { tokenHash: root?.hash, name: 'uses', limit: 5, amount: 1 },
      { tokenHash: root?.hash, name: 'budget:amount', limit: 100, amount: 7.25 },
      { tokenHash: leaf?.hash, name: 'uses', limit: 2, amount: 1 },
    ]);
    expect(requiredCounters(chainWith({}), {})).toEqual([]);
  });

  it.each([
    ['absent', {}],
    ['negative', { amount: -1 }],
    ['text', { amount: '1' }],
    ['null', { amount: null }],
    ['not finite', { amount: Number.POSITIVE_INFINITY }],
    ['not a number', { amount: Number.NaN }],
    ['finer than a millionth', { amount: 0.0000001 }],
    ['inherited', Object.create({ amount: 1 })],
  ])('denies an amount that is %s', (_, args: JsonObject) => {
    const result = requiredCounters(
      chainWith({ use: { budgets: [{ argument: 'amount', total: 10 }] } }),
      args,
    );
    expect(isDenial(result) && result.code).toBe('scope.arguments_not_granted');
  });

  it('denies fractions where a double would lose them', () => {
    const chain = chainWith({ use: { budgets: [{ argument: 'amount', total: 2 ** 52 }] } });
    expect(isDenial(requiredCounters(chain, { amount: 0.5 }))).toBe(true);
    expect(isDenial(requiredCounters(chain, { amount: 5 }))).toBe(false);
    expect(isDenial(requiredCounters(chain, { amount: 0 }))).toBe(false);
  });
});
