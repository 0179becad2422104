import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import {
  CORE_CONSTRAINT_TYPES,
  type Constraint,
  type ConstraintType,
  EXTENSION_CONSTRAINT_TYPES,
  parseConstraint,
  subsumes,
} from './index.ts';

type Json = Record<string, JsonValue>;

function constraintOf(json: Json): Constraint {
  const constraint = parseConstraint(json);
  if (isDenial(constraint)) throw new Error(constraint.detail);
  return constraint;
}

const of = (type: string, members: Json = {}): Json => ({ constraint_type: type, ...members });
const exact = (value: JsonValue) => of('exact', { value });
const range = (members: Json) => of('range', members);
const oneOf = (...values: JsonValue[]) => of('one_of', { values });
const notOneOf = (...excluded: JsonValue[]) => of('not_one_of', { excluded });
const contains = (...required: JsonValue[]) => of('contains', { required });
const subset = (...allowed: JsonValue[]) => of('subset', { allowed });
const wildcard = of('wildcard');
const all = (...constraints: Json[]) => of('all', { constraints });
const any = (...constraints: Json[]) => of('any', { constraints });
const path = (root: string) => of('path_containment', { root });
const url = (members: Json) => of('url_containment', { scheme: 'https', host: 'h.example', ...members });
const pattern = (text: string) => of('string_pattern', { pattern: text });
const argv = (members: Json) => of('argv', members);

type Row = readonly [title: string, parent: Json, child: Json];

const VALID: readonly Row[] = [
  ['exact, same value', exact('a'), exact('a')],
  ['exact, same number however written', exact(1), exact(1.0)],
  ['exact, minus zero is zero to JCS', exact(0), exact(-0)],
  ['exact null', exact(null), exact(null)],
  ['range, same', range({ min: 1, max: 5 }), range({ min: 1, max: 5 })],
  ['range, tighter', range({ min: 1, max: 5 }), range({ min: 2, max: 4 })],
  ['range, closed to open', range({ min: 1 }), range({ min: 1, min_inclusive: false })],
  ['range, open to a higher closed bound', range({ min: 1, min_inclusive: false }), range({ min: 1.5 })],
  ['range, open max to a lower closed bound', range({ max: 5, max_inclusive: false }), range({ max: 4 })],
  ['range, no bounds to any', range({}), range({ max: 5 })],
  ['range, no bounds to none', range({}), range({})],
  ['range to exact inside', range({ min: 1, max: 5 }), exact(5)],
  ['one_of, subset', oneOf('a', 'b'), oneOf('b')],
  ['one_of, duplicates are one value', oneOf('a'), oneOf('a', 'a')],
  ['one_of, objects by JCS', oneOf({ a: 1, b: 2 }), oneOf({ b: 2, a: 1 })],
  ['one_of to exact member', oneOf('a', 1), exact(1)],
  ['not_one_of, superset', notOneOf('a'), notOneOf('b', 'a')],
  ['not_one_of, empty parent', notOneOf(), notOneOf()],
  ['contains, superset', contains('a'), contains('a', 'b')],
  ['contains, nothing required', contains(), contains()],
  ['subset, subset', subset('a', 'b'), subset('a')],
  ['subset, only the empty array', subset('a'), subset()],
  ['all, one derived clause for two', all(wildcard, wildcard), all(exact(5))],
  ['all, one more clause', all(range({ min: 0 })), all(notOneOf(3), range({ min: 0 }))],
  ['all, cross-type clause', all(oneOf('a', 'b')), all(exact('a'))],
  ['any, fewer clauses', any(exact('pdf'), exact('csv')), any(exact('csv'))],
  ['any, cross-type clause', any(oneOf('pdf', 'csv')), any(exact('pdf'), exact('csv'))],
  ['any in any', any(any(exact(1), exact(2))), any(any(exact(2)))],
  ['path, deeper', path('/srv'), path('/srv/a')],
  ['path, same after normalising', path('/srv/'), path('//srv/.')],
  ['path, root', path('/'), path('/etc')],
  ['path to exact', path('/srv'), exact('/srv//a/./b')],
  ['path to one_of', path('/srv'), oneOf('/srv', '/srv/a')],
  ['url, deeper path', url({}), url({ path: '/api' })],
  ['url, default port spelled out', url({}), url({ port: 443 })],
  ['url to exact', url({ path: '/api' }), exact('https://H.example:443/api/x?q=1')],
  ['url to one_of', url({}), oneOf('https://h.example', 'https://h.example/a')],
  ['pattern, same', pattern('a*b'), pattern('a*b')],
  ['pattern, star narrowed', pattern('a*b'), pattern('a*x*b')],
  ['pattern, two stars are one', pattern('*'), pattern('**')],
  ['pattern, star under two stars', pattern('**'), pattern('*')],
  ['pattern, star to literal star', pattern('*'), pattern('\\*')],
  ['pattern to exact', pattern('a*'), exact('a')],
  ['pattern to one_of', pattern('a*'), oneOf('a', 'ab')],
  ['argv, same', argv({ flags: { '-v': {} } }), argv({ flags: { '-v': {} } })],
  ['argv, fewer flags', argv({ flags: { '-v': {}, '-n': {} } }), argv({ flags: { '-v': {} } })],
  ['argv, flag made required', argv({ flags: { '-v': {} } }), argv({ flags: { '-v': { required: true } } })],
  ['argv, rest closed', argv({ rest: wildcard }), argv({})],
  ['argv, rest to positional', argv({ rest: pattern('a*') }), argv({ positionals: [exact('ab')] })],
  ['argv to one_of', argv({ rest: wildcard }), oneOf(['a'], [])],
  ['wildcard to wildcard', wildcard, wildcard],
];

const INVALID: readonly Row[] = [
  ['exact, other value', exact('a'), exact('b')],
  ['exact, other type', exact(1), exact('1')],
  ['exact null to false', exact(null), exact(false)],
  ['exact to a one_of of that value', exact('a'), oneOf('a')],
  ['exact to wildcard', exact('a'), wildcard],
  ['range, lower min', range({ min: 1 }), range({ min: 0 })],
  ['range, higher max', range({ max: 5 }), range({ max: 6 })],
  ['range, dropped bound', range({ min: 1, max: 5 }), range({ min: 1 })],
  ['range, open to closed', range({ min: 1, min_inclusive: false }), range({ min: 1 })],
  [
    'range, open to closed max',
    range({ max: 5, max_inclusive: false }),
    range({ max: 5, max_inclusive: true }),
  ],
  ['range to exact at an open bound', range({ min: 1, min_inclusive: false }), exact(1)],
  ['range to exact outside', range({ min: 1, max: 5 }), exact(6)],
  ['range to exact text', range({ min: 1, max: 5 }), exact('3')],
  ['range without bounds to exact text', range({}), exact('3')],
  ['range to one_of inside', range({ min: 1, max: 5 }), oneOf(2, 3)],
  ['range to wildcard', range({}), wildcard],
  ['one_of, one more', oneOf('a'), oneOf('a', 'b')],
  ['one_of to not_one_of', oneOf('a', 'b'), notOneOf('b')],
  ['one_of to range', oneOf(1, 2), range({ min: 1, max: 2 })],
  ['one_of to exact outside', oneOf('a'), exact('b')],
  ['one_of to any of its members', oneOf('a', 'b'), any(exact('a'))],
  ['one_of to wildcard', oneOf('a'), wildcard],
  ['not_one_of, fewer excluded', notOneOf('a', 'b'), notOneOf('a')],
  ['not_one_of to exact', notOneOf('a'), exact('b')],
  ['not_one_of to one_of', notOneOf('a'), oneOf('b')],
  ['not_one_of of nothing to wildcard', notOneOf(), wildcard],
  ['contains, fewer required', contains('a', 'b'), contains('a')],
  ['contains to subset', contains('a'), subset('a')],
  ['contains to one_of', contains('a'), oneOf(['a'])],
  ['subset, one more', subset('a'), subset('a', 'b')],
  ['subset to one_of', subset('a'), oneOf(['a'])],
  ['subset to contains', subset('a'), contains('a')],
  ['all, clause dropped', all(exact('a'), exact('b')), all(exact('a'))],
  ['all, clause widened', all(range({ max: 1 })), all(range({ max: 2 }))],
  ['all to one of its clauses', all(exact('a')), exact('a')],
  ['all of wildcard to wildcard', all(wildcard), wildcard],
  ['all to any', all(exact('a')), any(exact('a'))],
  ['any, clause added', any(exact('pdf')), any(exact('pdf'), exact('docx'))],
  ['any to one of its clauses', any(exact('a'), exact('b')), exact('a')],
  ['any to one_of', any(exact('a'), exact('b')), oneOf('a')],
  ['any to all', any(exact('a')), all(exact('a'))],
  ['path, outside', path('/srv'), path('/etc')],
  ['path, a longer name is not beneath', path('/srv'), path('/srvx')],
  ['path, above', path('/srv/a'), path('/srv')],
  ['path to exact that climbs', path('/srv'), exact('/srv/a/../b')],
  ['path to one_of, one outside', path('/srv'), oneOf('/srv/a', '/etc')],
  ['path to pattern', path('/srv'), pattern('/srv/*')],
  ['path to all', path('/srv'), all(path('/srv'))],
  ['path to wildcard', path('/'), wildcard],
  ['url, other scheme', url({}), url({ scheme: 'http' })],
  ['url, other port', url({}), url({ port: 8443 })],
  ['url, other host', url({}), url({ host: 'x.h.example' })],
  ['url, above', url({ path: '/api' }), url({})],
  ['url, a longer segment', url({ path: '/api' }), url({ path: '/apix' })],
  ['url, the directory itself', url({ path: '/api/' }), url({ path: '/api' })],
  ['url to exact elsewhere', url({}), exact('https://h.example.evil/')],
  ['url to pattern', url({}), pattern('https://h.example/*')],
  ['pattern, literal to star', pattern('ab'), pattern('a*')],
  ['pattern, other order', pattern('*a*b*'), pattern('*b*a*')],
  ['pattern, literal star to star', pattern('\\*'), pattern('*')],
  ['pattern, overlap', pattern('ab*ba'), pattern('aba')],
  ['pattern to path', pattern('/srv*'), path('/srv')],
  ['pattern to url', pattern('*'), url({})],
  ['pattern to one_of, not only text', pattern('*'), oneOf('a', 1)],
  ['argv, more flags', argv({}), argv({ flags: { '-v': {} } })],
  ['argv, switch to value', argv({ flags: { '-v': {} } }), argv({ flags: { '-v': { value: 'string' } } })],
  ['argv, value to switch', argv({ flags: { '-v': { value: 'string' } } }), argv({ flags: { '-v': {} } })],
  [
    'argv, text to integer',
    argv({ flags: { '-n': { value: 'string' } } }),
    argv({ flags: { '-n': { value: 'integer' } } }),
  ],
  ['argv, required flag dropped', argv({ flags: { '-v': { required: true } } }), argv({})],
  [
    'argv, required flag optional',
    argv({ flags: { '-v': { required: true } } }),
    argv({ flags: { '-v': {} } }),
  ],
  ['argv, flag repeatable', argv({ flags: { '-v': {} } }), argv({ flags: { '-v': { repeatable: true } } })],
  ['argv, operand dropped', argv({ positionals: [wildcard], rest: wildcard }), argv({ rest: wildcard })],
  ['argv, rest opened', argv({}), argv({ rest: exact('a') })],
  ['argv, rest widened', argv({ rest: path('/srv') }), argv({ rest: wildcard })],
  ['argv, interleaved', argv({ rest: wildcard }), argv({ rest: wildcard, interleaved: true })],
  ['argv, terminator', argv({ rest: wildcard }), argv({ rest: wildcard, terminator: true })],
  ['argv, response files', argv({ rest: wildcard }), argv({ rest: wildcard, response_files: true })],
  ['argv, other command', argv({ command: ['git', 'log'] }), argv({ command: ['git', 'push'] })],
  ['argv, command added', argv({ rest: exact('b') }), argv({ command: ['a'], rest: exact('b') })],
  ['argv, command dropped', argv({ command: ['git'] }), argv({})],
  ['argv, command to operand', argv({ command: ['git'] }), argv({ positionals: [exact('git')] })],
  ['argv to subset', argv({ rest: wildcard }), subset('a')],
];

describe('pairs of the same or listed types', () => {
  it.each(VALID)('accepts %s', (_title, parent, child) => {
    expect(subsumes(constraintOf(parent), constraintOf(child))).toBe(true);
  });

  it.each(INVALID)('refuses %s', (_title, parent, child) => {
    expect(subsumes(constraintOf(parent), constraintOf(child))).toBe(false);
  });
});

const TYPES: readonly ConstraintType[] = [...CORE_CONSTRAINT_TYPES, ...EXTENSION_CONSTRAINT_TYPES];

/** For each parent type, the child types that some rule lists. */
const LISTED: Readonly<Record<ConstraintType, readonly ConstraintType[]>> = {
  exact: ['exact'],
  range: ['range', 'exact'],
  one_of: ['one_of', 'exact'],
  not_one_of: ['not_one_of'],
  contains: ['contains'],
  subset: ['subset'],
  wildcard: TYPES,
  all: ['all'],
  any: ['any'],
  path_containment: ['path_containment', 'exact', 'one_of'],
  url_containment: ['url_containment', 'exact', 'one_of'],
  string_pattern: ['string_pattern', 'exact', 'one_of'],
  argv: ['argv', 'one_of'],
};

/** As parents, wide: what keeps them from subsuming a narrow child is its type alone. */
const WIDE: Readonly<Record<ConstraintType, Json>> = {
  exact: exact('/srv/a'),
  range: range({}),
  one_of: oneOf('/srv/a', 1, ['a'], []),
  not_one_of: notOneOf(),
  contains: contains(),
  subset: subset('a', '/srv/a'),
  wildcard,
  all: all(wildcard),
  any: any(wildcard),
  path_containment: path('/'),
  url_containment: url({}),
  string_pattern: pattern('*'),
  argv: argv({ rest: wildcard, interleaved: true, terminator: true, response_files: true }),
};

/** As children, narrow: a few of each type, so that one fits each parent. */
const NARROW: Readonly<Record<ConstraintType, readonly Json[]>> = {
  exact: [exact('/srv/a'), exact(1), exact('https://h.example/')],
  range: [range({ min: 1, max: 1 })],
  one_of: [oneOf('/srv/a'), oneOf(1), oneOf([]), oneOf('https://h.example/')],
  not_one_of: [notOneOf('b')],
  contains: [contains('a')],
  subset: [subset()],
  wildcard: [wildcard],
  all: [all(wildcard), all(exact('/srv/a'))],
  any: [any(wildcard), any(exact('/srv/a'))],
  path_containment: [path('/srv/a')],
  url_containment: [url({ path: '/x' })],
  string_pattern: [pattern('/srv/a')],
  argv: [argv({})],
};

describe('every pair of types', () => {
  for (const parent of TYPES) {
    for (const child of TYPES) {
      const listed = LISTED[parent].includes(child);
      it(`${parent} ${listed ? 'may subsume' : 'never subsumes'} ${child}`, () => {
        const verdicts = NARROW[child].map((json) =>
          subsumes(constraintOf(WIDE[parent]), constraintOf(json)),
        );
        expect(verdicts.includes(true)).toBe(listed);
      });
    }
  }
});
