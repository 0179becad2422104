import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ISSUER, KEYS, NOW } from '../../test/vectors/token-maker.ts';
import type { JsonObject, JsonValue } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { checkScope, deriveToken, findArgumentViolation, mintRoot, verifyChain } from './index.ts';

// DESIGN: C(child) ⊆ C(parent) for every derivation.

/** Few values, so that constraints meet; of every JSON type. */
const VALUES: readonly JsonValue[] = [
  0,
  1,
  2,
  3,
  'a',
  'b',
  '/d',
  '/d/e',
  true,
  null,
  [],
  ['a'],
  ['a', 'b'],
  { a: 1 },
];
const value = fc.constantFrom(...VALUES);
const values = fc.array(value, { maxLength: 4 });
const scalar = fc.constantFrom<JsonValue>(0, 1, 2, 3, 'a', 'b', '/d', '/d/e', true, null);
const bound = fc.integer({ min: 0, max: 3 });

const range = fc
  .record(
    { min: bound, max: bound, min_inclusive: fc.boolean(), max_inclusive: fc.boolean() },
    { requiredKeys: [] },
  )
  .map(
    (members): JsonObject => ({
      constraint_type: 'range',
      ...(members.min === undefined
        ? {}
        : { min: members.min, min_inclusive: members.min_inclusive ?? true }),
      ...(members.max === undefined
        ? {}
        : { max: Math.max(members.max, members.min ?? 0), max_inclusive: members.max_inclusive ?? true }),
    }),
  );

const { constraint } = fc.letrec<{ constraint: JsonObject }>((tie) => {
  const clauses = fc.array(tie('constraint'), { minLength: 1, maxLength: 3 });
  return {
    constraint: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      scalar.map((exact): JsonObject => ({ constraint_type: 'exact', value: exact })),
      range,
      fc
        .array(value, { minLength: 1, maxLength: 4 })
        .map((list): JsonObject => ({ constraint_type: 'one_of', values: list })),
      values.map((excluded): JsonObject => ({ constraint_type: 'not_one_of', excluded })),
      values.map((required): JsonObject => ({ constraint_type: 'contains', required })),
      values.map((allowed): JsonObject => ({ constraint_type: 'subset', allowed })),
      fc.constantFrom<JsonObject>(
        { constraint_type: 'wildcard' },
        { constraint_type: 'path_containment', root: '/d' },
        { constraint_type: 'path_containment', root: '/d/e' },
        { constraint_type: 'string_pattern', pattern: '*' },
        { constraint_type: 'string_pattern', pattern: '/d*' },
      ),
      clauses.map((constraints): JsonObject => ({ constraint_type: 'all', constraints })),
      clauses.map((constraints): JsonObject => ({ constraint_type: 'any', constraints })),
    ),
  };
});

const entry = fc
  .tuple(constraint, fc.boolean())
  .map(([json, optional]) => (optional ? { ...json, optional } : json));
const map = fc
  .tuple(fc.dictionary(fc.constantFrom('x', 'y'), entry, { maxKeys: 2 }), fc.boolean())
  .map(
    ([entries, open]): JsonObject => (open ? { ...entries, '*': { constraint_type: 'wildcard' } } : entries),
  );
const args = fc.dictionary(fc.constantFrom('x', 'y', 'z'), value, { maxKeys: 3 });

/** A child that is the parent with one argument replaced, added or dropped: more often a valid link than a random one. */
const link = fc.oneof(
  fc.tuple(map, map),
  fc
    .tuple(map, fc.constantFrom('x', 'y', '*'), fc.option(entry, { nil: undefined }))
    .map(([parent, name, changed]) => {
      const { [name]: _dropped, ...rest } = parent;
      const added = name === '*' ? { constraint_type: 'wildcard' } : changed;
      return [
        parent,
        changed === undefined || added === undefined ? rest : { ...rest, [name]: added },
      ] as const;
    }),
);

const anchors = [{ iss: ISSUER, key: KEYS.issuer.publicKey }];

describe('C(child) ⊆ C(parent)', () => {
  it('holds for every derivation that is not refused', () => {
    let derived = 0;
    let granted = 0;
    fc.assert(
      fc.property(link, fc.array(args, { minLength: 8, maxLength: 8 }), ([parentMap, childMap], calls) => {
        const root = mintRoot({
          issuer: { iss: ISSUER, signer: KEYS.issuer },
          holder: KEYS.agent.publicKey,
          tools: { t: parentMap },
          iatSeconds: NOW,
          expSeconds: NOW + 60,
          maxDepth: 1,
        });
        if (isDenial(root)) throw new TypeError(root.detail);
        const child = deriveToken({
          parent: root,
          signer: KEYS.agent,
          holder: KEYS.worker.publicKey,
          tools: { t: childMap },
          iatSeconds: NOW,
        });
        if (isDenial(child)) {
          expect(child.code).toBe('artifact.attenuation_invalid');
          return;
        }
        derived += 1;
        const chain = verifyChain([root, child], { anchors, nowSeconds: NOW });
        if (isDenial(chain)) throw new TypeError(chain.detail);
        const parentTools = chain.root.tools.get('t');
        const childTools = chain.leaf.tools.get('t');
        if (parentTools === undefined || childTools === undefined) throw new TypeError('no tool');
        for (const call of calls) {
          const plain: JsonObject = { ...call };
          const byChild = findArgumentViolation(childTools, plain) === undefined;
          if (byChild) expect(findArgumentViolation(parentTools, plain)).toBeUndefined();
          expect(checkScope(chain, 't', plain, NOW) === undefined).toBe(byChild);
          if (byChild) granted += 1;
        }
      }),
      { numRuns: 3_000 },
    );
    // Neither side of the property is empty.
    expect(derived).toBeGreaterThan(200);
    expect(granted).toBeGreaterThan(200);
  });
});
