import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import {
  type ConstraintMap,
  findArgumentViolation,
  findMapAmplification,
  parseConstraint,
  parseConstraintMap,
  subsumes,
} from './index.ts';

function mapOf(json: JsonObject): ConstraintMap {
  const map = parseConstraintMap(json);
  if (isDenial(map)) throw new Error(map.detail);
  return map;
}

const wildcard = { constraint_type: 'wildcard' };
const exact = (value: JsonValue) => ({ constraint_type: 'exact', value });
const optional = (json: JsonObject) => ({ ...json, optional: true });

describe('findArgumentViolation', () => {
  const violation = (map: JsonObject, args: JsonObject) => findArgumentViolation(mapOf(map), args);

  it('admits any argument under an empty map and under "*"', () => {
    expect(violation({}, { a: 1, '*': 2 })).toBeUndefined();
    expect(violation({ '*': wildcard }, { a: 1 })).toBeUndefined();
    expect(violation({ a: exact(1), '*': wildcard }, { a: 1, b: 2 })).toBeUndefined();
  });

  it.each<readonly [string, JsonObject, JsonObject]>([
    ['an unnamed argument', { a: exact(1) }, { a: 1, b: 2 }],
    ['an inherited name as unnamed argument', { a: exact(1) }, { a: 1, constructor: 2 }],
    ['an argument called "*"', { a: exact(1) }, { a: 1, '*': 2 }],
    ['an unnamed argument of value null', { a: exact(1) }, { a: 1, b: null }],
    ['a missing required argument', { a: exact(1) }, {}],
    ['a missing required wildcard', { a: wildcard, '*': wildcard }, {}],
    ['a required argument that is only inherited', { constructor: wildcard }, {}],
    ['a violated argument', { a: exact(1) }, { a: 2 }],
    ['a violated optional argument', { a: optional(exact(1)) }, { a: null }],
    ['a violated argument under "*"', { a: exact(1), '*': wildcard }, { a: 2 }],
  ])('refuses %s', (_title, map, args) => {
    expect(violation(map, args)?.code).toBe('scope.arguments_not_granted');
  });

  it('lets an optional argument be omitted', () => {
    expect(violation({ a: optional(exact(1)) }, {})).toBeUndefined();
  });

  it('names the argument and never its value', () => {
    const denial = violation({ password: exact('x') }, { password: 'hunter2' });
    expect(denial?.detail).toContain('"password"');
    expect(denial?.detail).not.toContain('hunter2');
  });

  it('compares by JCS: number spellings, member order and minus zero are equal, types are not', () => {
    const map = { a: { constraint_type: 'one_of', values: [{ x: 1, y: [-0] }, 100] } };
    expect(violation(map, { a: { y: [0], x: 1 } })).toBeUndefined();
    expect(violation(map, { a: 1e2 })).toBeUndefined();
    expect(violation(map, { a: '100' })).toBeDefined();
    expect(violation(map, { a: [100] })).toBeDefined();
  });
});

describe('findMapAmplification', () => {
  const amplification = (parent: JsonObject, child: JsonObject) =>
    findMapAmplification(mapOf(parent), mapOf(child));

  it.each<readonly [string, JsonObject, JsonObject]>([
    ['the same map', { a: exact(1) }, { a: exact(1) }],
    ['any map under an empty one', {}, { a: exact(1) }],
    ['an empty map under "*"', { '*': wildcard }, {}],
    ['a name constrained under "*"', { '*': wildcard }, { a: optional(exact(1)), '*': wildcard }],
    ['"*" dropped', { a: wildcard, '*': wildcard }, { a: wildcard }],
    ['an optional argument made required', { a: optional(wildcard) }, { a: wildcard }],
    ['an optional argument dropped', { a: exact(1), b: optional(wildcard) }, { a: exact(1) }],
    [
      '"*" and an optional argument dropped',
      { a: wildcard, b: optional(wildcard), '*': wildcard },
      { a: wildcard },
    ],
  ])('accepts %s', (_title, parent, child) => {
    expect(amplification(parent, child)).toBeUndefined();
  });

  it.each<readonly [string, JsonObject, JsonObject]>([
    ['a name the parent lacks', { a: exact(1) }, { a: exact(1), b: exact(1) }],
    ['an optional name the parent lacks', { a: exact(1) }, { a: exact(1), b: optional(exact(1)) }],
    ['an empty map under a named one', { a: optional(wildcard) }, {}],
    ['"*" added', { a: exact(1) }, { a: exact(1), '*': wildcard }],
    ['a required argument dropped', { a: exact(1), b: exact(1) }, { a: exact(1) }],
    ['a required argument dropped under "*"', { a: exact(1), '*': wildcard }, { b: exact(1) }],
    ['an optional argument returning under "*"', { a: optional(exact(1)), '*': wildcard }, { '*': wildcard }],
    ['an optional argument returning under {}', { a: optional(exact(1)), '*': wildcard }, {}],
    ['a required argument made optional', { a: wildcard }, { a: optional(wildcard) }],
    ['a widened constraint', { a: exact(1) }, { a: exact(2) }],
    ['a widened constraint beside "*"', { a: exact(1), '*': wildcard }, { a: wildcard, '*': wildcard }],
    ['an inherited name', { a: exact(1) }, { a: exact(1), constructor: exact(1) }],
  ])('refuses %s', (_title, parent, child) => {
    expect(amplification(parent, child)?.code).toBe('artifact.attenuation_invalid');
  });
});

describe('cost', () => {
  const composite = (type: string, constraints: readonly JsonObject[]) => ({
    constraint_type: type,
    constraints,
  });
  const constraintOf = (json: JsonObject) => {
    const constraint = parseConstraint(json);
    if (isDenial(constraint)) throw new Error(constraint.detail);
    return constraint;
  };

  it('of deep composites against each other is polynomial', () => {
    const tower = (type: string, bottom: JsonObject) => {
      let json = bottom;
      for (let level = 0; level < 12; level += 1) json = composite(type, level < 10 ? [json, json] : [json]);
      return json;
    };
    const started = performance.now();
    for (const type of ['all', 'any']) {
      subsumes(constraintOf(tower(type, exact(1))), constraintOf(tower(type, exact(2))));
    }
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('beyond the budget refuses instead of going on', () => {
    const wide = composite(
      'any',
      Array.from({ length: 4000 }, (_, index) => exact(index)),
    );
    const constraint = constraintOf(wide);
    const started = performance.now();
    expect(subsumes(constraint, constraint)).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
    const tokenful = composite(
      'any',
      Array.from({ length: 1300 }, (_, index) => exact(index)),
    );
    expect(subsumes(constraintOf(tokenful), constraintOf(tokenful))).toBe(true);
  });

  it('of many clauses on one large argument is the sum of their sizes, not the product', () => {
    const large = Array.from({ length: 50_000 }, (_, index) => `element ${index}`);
    const clauses = [
      { constraint_type: 'not_one_of', excluded: [1] },
      { constraint_type: 'contains', required: ['element 49999'] },
    ];
    const json = composite(
      'all',
      Array.from({ length: 2000 }, (_, index) => clauses[index % 2] ?? wildcard),
    );
    const started = performance.now();
    expect(findArgumentViolation(mapOf({ a: json }), { a: large })).toBeUndefined();
    const subset = composite(
      'any',
      new Array(2000).fill({ constraint_type: 'subset', allowed: ['element 0'] }),
    );
    expect(findArgumentViolation(mapOf({ a: subset }), { a: large })).toBeDefined();
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
