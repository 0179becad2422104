import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../../codec/index.ts';
import { Denial, isDenial } from '../../denial/index.ts';
import {
  CORE_CONSTRAINT_TYPES,
  checkConstraint,
  EXTENSION_CONSTRAINT_TYPES,
  findArgumentViolation,
  findMapAmplification,
  parseConstraint,
  parseConstraintMap,
} from './index.ts';

const of = (type: string, members: Record<string, JsonValue> = {}): JsonObject => ({
  constraint_type: type,
  ...members,
});
const leaf = of('wildcard');

function nested(depth: number, type = 'all'): JsonObject {
  let json = leaf;
  for (let level = 1; level < depth; level += 1) json = of(type, { constraints: [json] });
  return json;
}

const MALFORMED: readonly (readonly [string, JsonValue])[] = [
  ['not an object', 'wildcard'],
  ['null', null],
  ['an array', [leaf]],
  ['no constraint_type', {}],
  ['constraint_type not a string', { constraint_type: ['exact'] }],
  ['unknown type', of('regex', { pattern: '.*' })],
  ['type of another case', of('Wildcard')],
  ['inherited name as type', of('toString')],
  ['prototype as type', of('__proto__')],
  ['wildcard with a member', of('wildcard', { value: 1 })],
  ['a member of another type', of('exact', { value: 1, values: [1] })],
  ['exact without value', of('exact')],
  ['exact of an array', of('exact', { value: [] })],
  ['exact of an object', of('exact', { value: {} })],
  ['exact of a lone surrogate', of('exact', { value: '\ud800' })],
  ['exact of no number', of('exact', { value: Number.NaN })],
  ['range with a text bound', of('range', { min: '1' })],
  ['range with a null bound', of('range', { max: null })],
  ['range upside down', of('range', { min: 2, max: 1 })],
  ['range without end', of('range', { max: Number.POSITIVE_INFINITY })],
  ['min_inclusive not boolean', of('range', { min: 1, min_inclusive: 1 })],
  ['min_inclusive null', of('range', { min: 1, min_inclusive: null })],
  ['min_inclusive without min', of('range', { max: 1, min_inclusive: true })],
  ['max_inclusive without max', of('range', { min: 1, max_inclusive: false })],
  ['one_of without values', of('one_of')],
  ['one_of of nothing', of('one_of', { values: [] })],
  ['one_of of an object', of('one_of', { values: { 0: 'a' } })],
  ['one_of of a nested lone surrogate', of('one_of', { values: [['\udfff']] })],
  ['not_one_of without excluded', of('not_one_of')],
  ['not_one_of of a string', of('not_one_of', { excluded: 'abc' })],
  ['contains without required', of('contains', { required: null })],
  ['subset without allowed', of('subset', { values: [] })],
  ['all without constraints', of('all')],
  ['all of nothing', of('all', { constraints: [] })],
  ['any of nothing', of('any', { constraints: [] })],
  ['any of an object', of('any', { constraints: leaf })],
  ['a malformed clause', of('any', { constraints: [leaf, of('one_of', { values: [] })] })],
  ['an empty composite within', of('all', { constraints: [of('any', { constraints: [] })] })],
  ['optional within all', of('all', { constraints: [{ ...leaf, optional: true }] })],
  ['optional false within any', of('any', { constraints: [{ ...leaf, optional: false }] })],
  ['optional within argv', of('argv', { rest: { ...leaf, optional: true } })],
  ['path without root', of('path_containment')],
  ['path relative', of('path_containment', { root: 'srv' })],
  ['path empty', of('path_containment', { root: '' })],
  ['path that climbs', of('path_containment', { root: '/srv/../etc' })],
  ['path with NUL', of('path_containment', { root: '/srv\0' })],
  ['path too long', of('path_containment', { root: `/${'a'.repeat(5000)}` })],
  ['url without host', of('url_containment', { scheme: 'https' })],
  ['url with a scheme of no known authority', of('url_containment', { scheme: 'file', host: 'h' })],
  ['url scheme in capitals', of('url_containment', { scheme: 'HTTPS', host: 'h' })],
  ['url host in capitals', of('url_containment', { scheme: 'https', host: 'H' })],
  ['url host with port', of('url_containment', { scheme: 'https', host: 'h:80' })],
  ['url host with user', of('url_containment', { scheme: 'https', host: 'u@h' })],
  ['url host with path', of('url_containment', { scheme: 'https', host: 'h/p' })],
  ['url host as short IPv4', of('url_containment', { scheme: 'https', host: '127.1' })],
  ['url host not ASCII', of('url_containment', { scheme: 'https', host: 'bücher.example' })],
  ['url port as text', of('url_containment', { scheme: 'https', host: 'h', port: '443' })],
  ['url port zero', of('url_containment', { scheme: 'https', host: 'h', port: 0 })],
  ['url port too high', of('url_containment', { scheme: 'https', host: 'h', port: 65536 })],
  ['url port fraction', of('url_containment', { scheme: 'https', host: 'h', port: 1.5 })],
  ['url path relative', of('url_containment', { scheme: 'https', host: 'h', path: 'api' })],
  ['url path empty', of('url_containment', { scheme: 'https', host: 'h', path: '' })],
  ['url path with query', of('url_containment', { scheme: 'https', host: 'h', path: '/a?b' })],
  ['url path that climbs', of('url_containment', { scheme: 'https', host: 'h', path: '/a/..' })],
  ['url path null', of('url_containment', { scheme: 'https', host: 'h', path: null })],
  ['pattern not text', of('string_pattern', { pattern: 1 })],
  ['pattern with a dangling escape', of('string_pattern', { pattern: 'a\\' })],
  ['pattern escaping a letter', of('string_pattern', { pattern: '\\d' })],
  ['pattern too long', of('string_pattern', { pattern: 'a'.repeat(1025) })],
  ['pattern with a lone surrogate', of('string_pattern', { pattern: '\ud800*' })],
  ['argv within argv', of('argv', { rest: of('argv') })],
  ['all within argv', of('argv', { positionals: [nested(2)] })],
  ['any in a flag', of('argv', { flags: { '-a': { value: 'string', constraint: nested(2, 'any') } } })],
  ['argv flag without dash', of('argv', { flags: { verbose: {} } })],
  ['argv flag of dashes', of('argv', { flags: { '--': {} } })],
  ['argv flag with equals', of('argv', { flags: { '--a=b': {} } })],
  ['argv flag of three dashes', of('argv', { flags: { '---a': {} } })],
  ['argv flag with an unknown member', of('argv', { flags: { '-a': { optional: true } } })],
  ['argv flag of an unknown value', of('argv', { flags: { '-a': { value: 'path' } } })],
  ['argv switch with a constraint', of('argv', { flags: { '-a': { constraint: leaf } } })],
  ['argv flag null', of('argv', { flags: { '-a': null } })],
  ['argv flags as a list', of('argv', { flags: ['-a'] })],
  ['argv command not text', of('argv', { command: [1] })],
  ['argv rest null', of('argv', { rest: null })],
  ['argv interleaved not boolean', of('argv', { interleaved: 1 })],
];

describe('parseConstraint', () => {
  it.each(MALFORMED)('refuses: %s', (_title, json) => {
    const result = parseConstraint(json);
    expect(isDenial(result) && result.code).toBe('artifact.malformed');
  });

  it('refuses `optional`, which belongs to map entries', () => {
    expect(parseConstraint({ ...leaf, optional: true })).toBeInstanceOf(Denial);
  });

  it('accepts empty sets where the draft does', () => {
    for (const json of [
      of('not_one_of', { excluded: [] }),
      of('contains', { required: [] }),
      of('subset', { allowed: [] }),
      of('range'),
      of('range', { min: 1, max: 1, min_inclusive: false, max_inclusive: false }),
    ]) {
      expect(parseConstraint(json)).not.toBeInstanceOf(Denial);
    }
  });

  it('counts depth as the draft does: a leaf is 1, a composite one more than its deepest clause', () => {
    expect(parseConstraint(nested(32))).not.toBeInstanceOf(Denial);
    expect(parseConstraint(nested(33))).toBeInstanceOf(Denial);
    expect(parseConstraint(nested(33, 'any'))).toBeInstanceOf(Denial);
    expect(parseConstraint(leaf, { maxConstraintDepth: 1 })).not.toBeInstanceOf(Denial);
    expect(parseConstraint(of('argv', { rest: leaf }), { maxConstraintDepth: 1 })).not.toBeInstanceOf(Denial);
    expect(parseConstraint(nested(2), { maxConstraintDepth: 1 })).toBeInstanceOf(Denial);
  });

  it('survives nesting and width far beyond any token', () => {
    expect(parseConstraint(nested(200_000))).toBeInstanceOf(Denial);
    expect(parseConstraint(of('one_of', { values: new Array(100_000).fill(1) }))).toBeInstanceOf(Denial);
    expect(parseConstraint(of('all', { constraints: new Array(100_000).fill(leaf) }))).toBeInstanceOf(Denial);
  });

  it('never repeats a value in its denial', () => {
    for (const [, json] of MALFORMED) {
      const secret = JSON.parse(
        JSON.stringify(json).replaceAll(/"(srv|abc|\.\*)/g, '"s3cret$1'),
      ) as JsonValue;
      const result = parseConstraint(secret);
      expect(isDenial(result) && result.detail).not.toContain('s3cret');
    }
  });

  it('takes a wrong limit for misuse', () => {
    expect(() => parseConstraint(leaf, { maxConstraintDepth: 0 })).toThrow(TypeError);
  });
});

describe('parseConstraintMap', () => {
  it('normalises the empty map to "*"', () => {
    expect(parseConstraintMap({})).toEqual({ entries: new Map(), unnamed: 'any' });
    expect(parseConstraintMap({ '*': leaf })).toEqual({ entries: new Map(), unnamed: 'any' });
    expect(parseConstraintMap({ a: leaf })).toMatchObject({ unnamed: 'denied' });
    expect(parseConstraintMap({ a: leaf, '*': leaf })).toMatchObject({ unnamed: 'any' });
  });

  it('reads optional', () => {
    const map = parseConstraintMap({
      a: { ...leaf, optional: true },
      b: { ...leaf, optional: false },
      c: leaf,
    });
    const flags = isDenial(map) ? map : [...map.entries.values()].map((entry) => entry.optional);
    expect(flags).toEqual([true, false, false]);
  });

  it.each<readonly [string, JsonObject]>([
    ['"*" that is not a wildcard', { '*': of('exact', { value: 1 }) }],
    ['"*" with optional', { '*': { ...leaf, optional: true } }],
    ['"*" with optional false', { '*': { ...leaf, optional: false } }],
    ['optional as text', { a: { ...leaf, optional: 'true' } }],
    ['optional null', { a: { ...leaf, optional: null } }],
    ['an entry that is no object', { a: true }],
    ['one malformed entry among good ones', { a: leaf, b: of('one_of', { values: [] }) }],
  ])('refuses %s', (_title, json) => {
    const map = parseConstraintMap(json);
    expect(isDenial(map) && map.code).toBe('artifact.malformed');
  });
});

const MEMBERS = [
  'constraint_type',
  'value',
  'values',
  'excluded',
  'required',
  'allowed',
  'constraints',
  'min',
  'max',
  'min_inclusive',
  'max_inclusive',
  'optional',
  'root',
  'scheme',
  'host',
  'port',
  'path',
  'pattern',
  'command',
  'flags',
  'positionals',
  'rest',
  'interleaved',
  '--x',
  '-x',
  'constraint',
  'constructor',
  '__proto__',
  '*',
];

const { json: hostileJson } = fc.letrec<{ json: JsonValue }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 5, depthSize: 'medium' },
    fc.constantFrom<JsonValue>(...CORE_CONSTRAINT_TYPES, ...EXTENSION_CONSTRAINT_TYPES),
    fc.constantFrom<JsonValue>(
      '/',
      'https',
      '*',
      '\\',
      '\ud800',
      '',
      0,
      -0,
      1e308,
      true,
      false,
      null,
      Number.NaN,
    ),
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.array(tie('json'), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.constantFrom(...MEMBERS), tie('json')), { maxLength: 5 })
      .map((members) => Object.fromEntries(members)),
    fc
      .tuple(
        fc.constantFrom(...CORE_CONSTRAINT_TYPES, ...EXTENSION_CONSTRAINT_TYPES),
        fc.array(fc.tuple(fc.constantFrom(...MEMBERS.slice(1)), tie('json')), { maxLength: 3 }),
      )
      .map(([type, members]) => ({ ...Object.fromEntries(members), constraint_type: type })),
  ),
}));

describe('hostile input', () => {
  it('never throws: a map or a denial, and whatever parses can be checked and compared', () => {
    const map = fc.dictionary(fc.oneof(fc.constantFrom('a', '*', '__proto__'), fc.string()), hostileJson, {
      maxKeys: 3,
    });
    let parsed = 0;
    fc.assert(
      fc.property(map, map, hostileJson, (parentJson, childJson, value) => {
        const parent = parseConstraintMap(parentJson);
        const child = parseConstraintMap(childJson);
        if (isDenial(parent)) {
          expect(parent.code).toBe('artifact.malformed');
          return;
        }
        parsed += 1;
        findArgumentViolation(parent, { a: value });
        findArgumentViolation(parent, childJson);
        for (const { constraint } of parent.entries.values()) checkConstraint(constraint, value);
        if (!isDenial(child)) findMapAmplification(parent, child);
      }),
      { numRuns: 10_000 },
    );
    expect(parsed).toBeGreaterThan(1000);
  });
});
