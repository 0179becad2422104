import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GATEWAY, ISSUER, KEYS, NOW, READ, TokenMaker } from '../../test/vectors/token-maker.ts';
import type { JsonValue } from '../codec/index.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import {
  ChainCache,
  type Presentation,
  parsePresentation,
  type VerifiedChain,
  type VerifiedProof,
  verifyChain,
  verifyPresentation,
  verifyProof,
} from './index.ts';

const RUNS = { numRuns: 10_000 };
const anchors = [{ iss: ISSUER, key: KEYS.issuer.publicKey }];
const args = { path: '/data/a' };
const context = {
  anchors,
  audiences: [GATEWAY],
  requireAudience: false,
  audienceRequired: false,
  tool: READ,
  args,
  nowSeconds: NOW,
};

const maker = new TokenMaker();
const root = maker.root();
const leaf = maker.child(root);
const chain = [root.compact, leaf.compact];
const pop = maker.proof(leaf, READ, args);

function judge(presentation: JsonValue): { chain: VerifiedChain; proof: VerifiedProof } | Denial {
  return verifyPresentation(presentation, { ...context, cache });
}
const cache = new ChainCache(10);

/** A text changed in one to three places: replaced, removed, inserted, repeated, cut off. */
function mutated(text: string): fc.Arbitrary<string> {
  const character = fc.oneof(
    fc.constantFrom(...'ABQgw019-_.=+/ \n"{}'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  );
  const edit = fc.tuple(
    fc.constantFrom('replace', 'remove', 'insert', 'repeat', 'cut'),
    fc.nat(text.length),
    character,
  );
  return fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) =>
    edits.reduce((current, [kind, position, inserted]) => {
      const before = current.slice(0, position);
      const after = current.slice(position);
      if (kind === 'replace') return before + inserted + after.slice(1);
      if (kind === 'remove') return before + after.slice(1);
      if (kind === 'insert') return before + inserted + after;
      if (kind === 'repeat') return current + after;
      return before;
    }, text),
  );
}

/** Claims of every shape under names that mean something. */
const hostileClaims = fc.dictionary(
  fc.constantFrom(
    'jti',
    'iss',
    'iat',
    'exp',
    'nbf',
    'aud',
    'cnf',
    'del_depth',
    'del_max_depth',
    'par_hash',
    'writ',
  ),
  fc.oneof(fc.jsonValue(), fc.constantFrom(NOW, NOW + 60, 0, 1, -1, '', 'a', GATEWAY, ISSUER)),
  { maxKeys: 4 },
);
const hostileDetails = fc.array(
  fc.record({
    type: fc.constantFrom('attenuating_agent_token', 'x'),
    tools: fc.oneof(
      fc.jsonValue(),
      fc.dictionary(
        fc.constantFrom(READ, 't', 'constructor'),
        fc.oneof(
          fc.jsonValue(),
          fc.dictionary(
            fc.constantFrom('path', '*', 'toString'),
            fc.record({
              constraint_type: fc.constantFrom('exact', 'any', 'all', 'range', 'argv', 'x'),
              constraints: fc.jsonValue(),
            }),
          ),
        ),
      ),
    ),
  }),
  { maxLength: 2 },
);

function plain(value: unknown): { [name: string]: JsonValue } {
  return JSON.parse(JSON.stringify(value).replaceAll('__proto__', 'proto'));
}

describe('10,000 hostile', () => {
  it('presentations never throw, and only well-formed ones are presentations', () => {
    const hostile = fc.oneof(
      fc.jsonValue(),
      fc.record({ aat_chain: fc.jsonValue(), aat_pop: fc.jsonValue() }, { requiredKeys: [] }),
      fc.record({
        aat_chain: fc.array(fc.oneof(fc.string(), fc.constantFrom(...chain))),
        aat_pop: fc.constant(pop),
      }),
    );
    fc.assert(
      fc.property(hostile, (value) => {
        const json: JsonValue = JSON.parse(JSON.stringify(value));
        const parsed: Presentation | Denial = parsePresentation(json);
        if (isDenial(parsed)) expect(parsed.code).toMatch(/^artifact\.|^identity\./);
        else expect([typeof parsed.aat_pop, parsed.aat_chain.length > 0]).toEqual(['string', true]);
        judge(json);
      }),
      RUNS,
    );
  });

  it('mutations of a valid chain are never permitted', () => {
    expect(isDenial(judge({ aat_chain: chain, aat_pop: pop }))).toBe(false);
    fc.assert(
      fc.property(mutated(root.compact), mutated(leaf.compact), fc.nat(2), (first, second, which) => {
        const tokens = [which === 1 ? root.compact : first, which === 0 ? leaf.compact : second];
        fc.pre(tokens[0] !== root.compact || tokens[1] !== leaf.compact);
        expect(isDenial(judge({ aat_chain: tokens, aat_pop: pop }))).toBe(true);
      }),
      RUNS,
    );
  });

  it('arrangements of valid and invalid tokens are permitted only as the chain they were signed as', () => {
    const other = maker.root();
    const tokens = [...chain, other.compact, maker.child(other).compact, pop, ''];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...tokens), { maxLength: 4 }), (arrangement) => {
        const permitted = !isDenial(judge({ aat_chain: arrangement, aat_pop: pop }));
        expect(permitted).toBe(
          arrangement.length === 2 && arrangement.every((token, at) => token === chain[at]),
        );
      }),
    );
  });

  it('mutations of a valid proof are never permitted', () => {
    const verified = verifyChain(chain, context);
    if (isDenial(verified)) throw new TypeError(verified.detail);
    expect(isDenial(verifyProof(pop, verified, context))).toBe(false);
    fc.assert(
      fc.property(
        fc.oneof(mutated(pop), fc.string({ unit: 'binary' }), fc.constantFrom(...chain)),
        (text) => {
          fc.pre(text !== pop);
          const result = verifyProof(text, verified, context);
          expect(isDenial(result) && result.code).toBe('identity.proof_invalid');
        },
      ),
      RUNS,
    );
  });

  it('claims signed by the issuer and by the holder never throw', () => {
    fc.assert(
      fc.property(hostileClaims, hostileDetails, fc.boolean(), (claims, details, asChild) => {
        const overrides = plain({ authorization_details: details, ...claims });
        const token = asChild ? maker.child(root, overrides) : maker.root(overrides);
        const result = verifyChain(asChild ? [root.compact, token.compact] : [token.compact], context);
        if (isDenial(result)) expect(result.code).toMatch(/^artifact\./);
      }),
      { numRuns: 2_000 },
    );
  });

  it('claims of a proof signed by the holder never throw', () => {
    const verified = verifyChain(chain, context);
    if (isDenial(verified)) throw new TypeError(verified.detail);
    const names = fc.constantFrom(
      'jti',
      'iat',
      'aat_id',
      'aat_hash',
      'aat_tool',
      'aat_aud',
      'nonce',
      'hta',
      'writ',
    );
    fc.assert(
      fc.property(fc.dictionary(names, fc.jsonValue(), { minKeys: 1, maxKeys: 3 }), (claims) => {
        const result = verifyProof(maker.proof(leaf, READ, args, plain(claims)), verified, context);
        if (isDenial(result)) expect(result.code).toMatch(/^identity\.proof_/);
      }),
      { numRuns: 1_000 },
    );
  });
});
