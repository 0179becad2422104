import type { JsonObject, JsonValue } from '../../src/codec/index.ts';
import { type CaseList, capability } from './case-list.ts';

const exact = (value: JsonValue) => ({ constraint_type: 'exact', value });
const range = (bounds: JsonObject) => ({ constraint_type: 'range', ...bounds });
const oneOf = (...values: JsonValue[]) => ({ constraint_type: 'one_of', values });
const notOneOf = (...excluded: JsonValue[]) => ({ constraint_type: 'not_one_of', excluded });
const contains = (...required: JsonValue[]) => ({ constraint_type: 'contains', required });
const subset = (...allowed: JsonValue[]) => ({ constraint_type: 'subset', allowed });
const all = (...constraints: JsonValue[]) => ({ constraint_type: 'all', constraints });
const any = (...constraints: JsonValue[]) => ({ constraint_type: 'any', constraints });
const path = (root: string) => ({ constraint_type: 'path_containment', root });
const url = (members: JsonObject) => ({
  constraint_type: 'url_containment',
  scheme: 'https',
  host: 'a.example',
  ...members,
});
const pattern = (text: string) => ({ constraint_type: 'string_pattern', pattern: text });
const argv = (members: JsonObject) => ({ constraint_type: 'argv', ...members });
const wildcard = { constraint_type: 'wildcard' };
const optional = (constraint: JsonObject) => ({ ...constraint, optional: true });

/** Well-formedness (AAT-02 §3.4), checks (§8 step 6b), key rules and subsumption (§4.5), and the extension types. */
export function addConstraintCases(list: CaseList): void {
  addWellFormedness(list);
  addChecks(list);
  addKeyRules(list);
  addCorePairs(list);
  addExtensionTypes(list);
}

function addWellFormedness(list: CaseList): void {
  const refused: readonly (readonly [string, JsonValue])[] = [
    ['constraint is text', 'any'],
    ['constraint_type absent', { value: 1 }],
    ['constraint_type unknown', { constraint_type: 'cel', expression: 'true' }],
    ['constraint_type of a prototype member', { constraint_type: 'toString' }],
    ['unknown member', { ...exact('a'), note: 'x' }],
    ['member of another type', { ...exact('a'), values: ['a'] }],
    ['exact.value absent', { constraint_type: 'exact' }],
    ['exact.value is an array', exact(['a'])],
    ['exact.value is an object', exact({})],
    ['one_of.values empty', oneOf()],
    ['one_of.values absent', { constraint_type: 'one_of' }],
    ['one_of.values is text', { constraint_type: 'one_of', values: 'a' }],
    ['not_one_of.excluded absent', { constraint_type: 'not_one_of' }],
    ['contains.required is an object', { constraint_type: 'contains', required: {} }],
    ['subset.allowed is null', { constraint_type: 'subset', allowed: null }],
    ['range.min over range.max', range({ min: 2, max: 1 })],
    ['range.min is text', range({ min: '1' })],
    ['range.max is null', range({ max: null })],
    ['range.min_inclusive without min', range({ max: 1, min_inclusive: true })],
    ['range.max_inclusive without max', range({ min: 1, max_inclusive: false })],
    ['range.min_inclusive is a number', range({ min: 1, min_inclusive: 1 })],
    ['all empty', all()],
    ['any empty', any()],
    ['all.constraints is an object', { constraint_type: 'all', constraints: {} }],
    ['any holds text', any('x')],
    ['unknown type inside any', any(exact('a'), { constraint_type: 'regex', pattern: 'a' })],
    ['optional is text', { ...exact('a'), optional: 'true' }],
    ['optional inside all', all(optional(exact('a')))],
    ['nested 33 deep', nested(33)],
  ];
  for (const [name, constraint] of refused)
    list.constraint('3n', `3n ${name}`, 'artifact.malformed', constraint, 'a');
  list.constraint('3n', '3n nested 32 deep', 'permit', nested(32), 'a');
  list.map('3n', '3n "*" is not a wildcard', 'artifact.malformed', { '*': exact('a') }, {});
  list.map('3n', '3n "*" is optional', 'artifact.malformed', { '*': optional(wildcard) }, {});
  const inadmissible = (from: string, to: string) => ({ payload: (text: string) => text.replace(from, to) });
  const big = (value: number) => ({
    authorization_details: [capability({ t: { x: range({ max: value }) } })],
  });
  const settings = { tool: 't', args: { x: 1 } };
  list.root(
    '3b',
    '3b number that a double cannot hold',
    'artifact.malformed',
    big(9007199254740992),
    inadmissible('9007199254740992', '9007199254740993'),
    settings,
  );
  list.root(
    '3b',
    '3b number that overflows',
    'artifact.malformed',
    big(7),
    inadmissible('"max":7', '"max":1e400'),
    settings,
  );
  list.root(
    '3b',
    '3b number with lost digits',
    'artifact.malformed',
    big(7),
    inadmissible('"max":7', '"max":1.00000000000000001'),
    settings,
  );
  list.root('3n', '3n number 9007199254740994', 'permit', big(9007199254740994), {}, settings);
  list.root('3n', '3n number 1e20', 'permit', big(1e20), {}, settings);
}

function nested(depth: number): JsonObject {
  return depth === 1 ? exact('a') : all(nested(depth - 1));
}

function addChecks(list: CaseList): void {
  const granted: readonly (readonly [string, JsonObject, JsonValue])[] = [
    ['exact null', exact(null), null],
    ['exact number in another spelling', exact(1e2), 100],
    ['range at both bounds', range({ min: 1, max: 1 }), 1],
    ['range without bounds', range({}), -5],
    ['range above an exclusive bound', range({ min: 1, min_inclusive: false }), 1.5],
    ['one_of object in another member order', oneOf({ a: 1, b: 2 }), { b: 2, a: 1 }],
    ['not_one_of', notOneOf('a', 'b'), 'c'],
    ['not_one_of nothing', notOneOf(), 'c'],
    ['contains all', contains('a', 'b'), ['b', 'c', 'a']],
    ['contains nothing of an empty array', contains(), []],
    ['subset with repetition', subset('a', 'b'), ['a', 'a']],
    ['subset of nothing', subset(), []],
    ['wildcard', wildcard, { any: [1, null] }],
    ['all', all(range({ min: 1 }), range({ max: 3 })), 2],
    ['any', any(exact('a'), exact('b')), 'b'],
  ];
  for (const [name, constraint, x] of granted) list.constraint('6b', `6b ${name}`, 'permit', constraint, x);
  const refused: readonly (readonly [string, JsonObject, JsonValue])[] = [
    ['exact other value', exact('a'), 'A'],
    ['exact text for a number', exact(1), '1'],
    ['exact false for null', exact(null), false],
    ['range below', range({ min: 1 }), 0],
    ['range above', range({ max: 1 }), 2],
    ['range at an exclusive lower bound', range({ min: 1, min_inclusive: false }), 1],
    ['range at an exclusive upper bound', range({ max: 1, max_inclusive: false }), 1],
    ['range of text', range({ min: 1 }), '2'],
    ['range of true', range({ min: 0 }), true],
    ['one_of other value', oneOf('a', 'b'), 'c'],
    ['one_of an array of its values', oneOf('a'), ['a']],
    ['not_one_of excluded', notOneOf('a'), 'a'],
    ['not_one_of excluded object in another order', notOneOf({ a: 1, b: 2 }), { b: 2, a: 1 }],
    ['contains too little', contains('a', 'b'), ['a']],
    ['contains in text', contains('a'), 'a'],
    ['subset too much', subset('a'), ['a', 'b']],
    ['subset of text', subset('a'), 'a'],
    ['all with one failing', all(range({ min: 1 }), range({ max: 3 })), 4],
    ['any with all failing', any(exact('a'), exact('b')), 'c'],
  ];
  for (const [name, constraint, x] of refused) {
    list.constraint('6b', `6b ${name}`, 'scope.arguments_not_granted', constraint, x);
  }
  const deny = 'scope.arguments_not_granted';
  list.map('6b', '6b unnamed argument', deny, { x: wildcard }, { x: 1, y: 1 });
  list.map('6b', '6b argument named __defineGetter__', deny, { x: wildcard }, { x: 1, __defineGetter__: 1 });
  list.map('6b', '6b argument named *', deny, { x: wildcard }, { x: 1, '*': 1 });
  list.map(
    '6b',
    '6b unnamed argument under "*"',
    'permit',
    { x: exact(1), '*': wildcard },
    { x: 1, y: 2, '*': 3 },
  );
  list.map(
    '6b',
    '6b named argument under "*" is still checked',
    deny,
    { x: exact(1), '*': wildcard },
    { x: 2 },
  );
  list.map('6b', '6b empty map grants any argument', 'permit', {}, { anything: [1] });
  list.map('6b', '6b required argument absent', deny, { x: wildcard }, {});
  list.map('6b', '6b optional argument absent', 'permit', { x: optional(exact(1)) }, {});
  list.map('6b', '6b optional argument present and wrong', deny, { x: optional(exact(1)) }, { x: 2 });
  list.map('6b', '6b optional false argument absent', deny, { x: { ...exact(1), optional: false } }, {});
}

function addKeyRules(list: CaseList): void {
  const deny = 'artifact.attenuation_invalid';
  const x1 = { x: 1 };
  list.maps(
    '4p2',
    '4p2 child names an argument that the parent does not',
    deny,
    { x: wildcard },
    { x: wildcard, y: wildcard },
    x1,
  );
  list.maps(
    '4p2',
    '4p2 child names an argument under the parent\'s "*"',
    'permit',
    { '*': wildcard },
    { x: exact(1) },
    x1,
  );
  list.maps('4p2', '4p2 child closes an empty map', 'permit', {}, { x: exact(1) }, x1);
  list.maps('4p2', '4p2 child empties a closed map', deny, { x: exact(1) }, {}, x1);
  list.maps('4p2', '4p2 child adds "*"', deny, { x: exact(1) }, { x: exact(1), '*': wildcard }, x1);
  list.maps('4p2', '4p2 child drops "*"', 'permit', { x: exact(1), '*': wildcard }, { x: exact(1) }, x1);
  list.maps(
    '4p2',
    '4p2 child omits a required argument',
    deny,
    { x: exact(1), y: wildcard },
    { x: exact(1) },
    x1,
  );
  list.maps(
    '4p2',
    '4p2 child omits an optional argument',
    'permit',
    { x: exact(1), y: optional(wildcard) },
    { x: exact(1) },
    x1,
  );
  list.maps(
    '4p2',
    '4p2 omitted optional argument returns under "*"',
    deny,
    { x: exact(1), y: optional(exact(1)), '*': wildcard },
    { x: exact(1), '*': wildcard },
    x1,
  );
  list.maps('4p2', '4p2 both maps empty', 'permit', {}, {}, x1);
  list.maps(
    '4p3',
    '4p3 child makes a required argument optional',
    deny,
    { x: exact(1) },
    { x: optional(exact(1)) },
    x1,
  );
  list.maps(
    '4p3',
    '4p3 child makes an optional argument required',
    'permit',
    { x: optional(exact(1)) },
    { x: exact(1) },
    x1,
  );
  list.maps(
    '4p3',
    '4p3 optional stays optional',
    'permit',
    { x: optional(exact(1)) },
    { x: optional(exact(1)) },
    {},
  );
}

function addCorePairs(list: CaseList): void {
  list.pair('exact to exact', true, exact('a'), exact('a'), 'a');
  list.pair('exact to another exact', false, exact('a'), exact('b'), 'b');
  list.pair('exact to one_of of it', false, exact('a'), oneOf('a'), 'a');
  list.pair('exact to range of it', false, exact(1), range({ min: 1, max: 1 }), 1);
  list.pair('range to tighter range', true, range({ min: 0, max: 9 }), range({ min: 1, max: 8 }), 5);
  list.pair('range to equal range', true, range({ max: 9 }), range({ max: 9 }), 9);
  list.pair('range to higher max', false, range({ max: 9 }), range({ max: 10 }), 5);
  list.pair('range to lower min', false, range({ min: 0 }), range({ min: -1 }), 5);
  list.pair('range to missing bound', false, range({ min: 0, max: 9 }), range({ min: 0 }), 5);
  list.pair('range unbounded to bounded', true, range({}), range({ min: 0 }), 5);
  list.pair(
    'range inclusive to exclusive',
    true,
    range({ max: 9 }),
    range({ max: 9, max_inclusive: false }),
    5,
  );
  list.pair(
    'range exclusive to inclusive',
    false,
    range({ max: 9, max_inclusive: false }),
    range({ max: 9 }),
    5,
  );
  list.pair(
    'range exclusive min to inclusive',
    false,
    range({ min: 0, min_inclusive: false }),
    range({ min: 0 }),
    5,
  );
  list.pair('range to exact inside', true, range({ max: 9 }), exact(9), 9);
  list.pair('range to exact outside', false, range({ max: 9 }), exact(10), 10);
  list.pair('range to exact text', false, range({ max: 9 }), exact('5'), '5');
  list.pair('range to one_of inside', false, range({ max: 9 }), oneOf(1, 2), 1);
  list.pair('one_of to fewer', true, oneOf('a', 'b'), oneOf('b'), 'b');
  list.pair('one_of to more', false, oneOf('a', 'b'), oneOf('a', 'c'), 'a');
  list.pair('one_of to exact member', true, oneOf('a', { k: 1 }), exact('a'), 'a');
  list.pair('one_of to exact other', false, oneOf('a', 'b'), exact('c'), 'c');
  list.pair('one_of to not_one_of', false, oneOf('a', 'b'), notOneOf('c'), 'a');
  list.pair('one_of to any', false, oneOf('a', 'b'), any(exact('a')), 'a');
  list.pair('not_one_of to more excluded', true, notOneOf('a'), notOneOf('a', 'b'), 'c');
  list.pair('not_one_of to fewer excluded', false, notOneOf('a', 'b'), notOneOf('a'), 'c');
  list.pair('not_one_of to exact outside', false, notOneOf('a'), exact('b'), 'b');
  list.pair('contains to more', true, contains('a'), contains('a', 'b'), ['a', 'b']);
  list.pair('contains to fewer', false, contains('a', 'b'), contains('a'), ['a', 'b']);
  list.pair('subset to fewer', true, subset('a', 'b'), subset('a'), ['a']);
  list.pair('subset to more', false, subset('a'), subset('a', 'b'), ['a']);
  list.pair('subset to contains', false, subset('a'), contains('a'), ['a']);
  list.pair(
    'all to all with more clauses',
    true,
    all(range({ min: 0 })),
    all(range({ min: 0 }), range({ max: 9 })),
    5,
  );
  list.pair('all to one clause for two', true, all(wildcard, range({ min: 0 })), all(exact(5)), 5);
  list.pair(
    'all to all with a clause missing',
    false,
    all(range({ min: 0 }), range({ max: 9 })),
    all(range({ min: 0 })),
    5,
  );
  list.pair('all to exact', false, all(range({ min: 0 })), exact(5), 5);
  list.pair('any to fewer clauses', true, any(exact('a'), exact('b')), any(exact('a')), 'a');
  list.pair('any to clause across types', true, any(oneOf('a', 'b')), any(exact('a'), exact('b')), 'a');
  list.pair('any to another clause', false, any(exact('a'), exact('b')), any(exact('a'), exact('c')), 'a');
  list.pair('any to exact', false, any(exact('a')), exact('a'), 'a');
  for (const [name, child, x] of [
    ['exact', exact('a'), 'a'],
    ['range', range({ max: 1 }), 1],
    ['one_of', oneOf('a'), 'a'],
    ['not_one_of', notOneOf('a'), 'b'],
    ['contains', contains('a'), ['a']],
    ['subset', subset('a'), ['a']],
    ['all', all(wildcard), 'a'],
    ['any', any(wildcard), 'a'],
    ['wildcard', wildcard, 'a'],
    ['path_containment', path('/a'), '/a'],
    ['url_containment', url({}), 'https://a.example/'],
    ['string_pattern', pattern('a*'), 'a'],
    ['argv', argv({ command: ['ls'] }), ['ls']],
  ] as const) {
    list.pair(`wildcard to ${name}`, true, wildcard, child, x);
    if (name !== 'wildcard') list.pair(`${name} to wildcard`, false, child, wildcard, x);
  }
}

function addExtensionTypes(list: CaseList): void {
  const deny = 'scope.arguments_not_granted';
  const check = (
    name: string,
    constraint: JsonObject,
    inside: readonly JsonValue[],
    outside: readonly JsonValue[],
  ) => {
    for (const x of inside)
      list.constraint('6b', `6b ${name} grants ${JSON.stringify(x)}`, 'permit', constraint, x);
    for (const x of outside)
      list.constraint('6b', `6b ${name} refuses ${JSON.stringify(x)}`, deny, constraint, x);
  };
  check(
    'path_containment',
    path('/srv/data'),
    ['/srv/data', '/srv/data/a', '/srv//data/./a'],
    ['/srv/database', '/srv/data/../x', '/srv', 'srv/data', '/srv/data/\u0000', 7],
  );
  check(
    'url_containment',
    url({ path: '/v1' }),
    ['https://a.example/v1', 'https://a.example:443/v1/x?q=1'],
    [
      'http://a.example/v1',
      'https://a.example.evil/v1',
      'https://a.example:8443/v1',
      'https://a.example/v10',
      'https://a.example/v1/../v2',
      'https://a.example@evil.example/v1',
      '/v1',
    ],
  );
  check(
    'string_pattern',
    pattern('report-*.pdf'),
    ['report-.pdf', 'report-a.b.pdf'],
    ['report.pdf', 'report-a.pdf.exe', 7],
  );
  check(
    'argv',
    argv({
      command: ['git', 'log'],
      flags: { '-n': { value: 'integer', constraint: range({ max: 50 }) }, '--oneline': {} },
      rest: path('/repo'),
    }),
    [
      ['git', 'log'],
      ['git', 'log', '--oneline', '-n', '5', '/repo/a'],
    ],
    [
      ['git', 'push'],
      ['git', 'log', '--output=/etc/passwd'],
      ['git', 'log', '-n', '51'],
      ['git', 'log', '/etc/passwd'],
      'git log',
    ],
  );
  list.pair('path_containment to beneath', true, path('/srv'), path('/srv/data'), '/srv/data/a');
  list.pair('path_containment to above', false, path('/srv/data'), path('/srv'), '/srv/data/a');
  list.pair(
    'path_containment to sibling prefix',
    false,
    path('/srv/data'),
    path('/srv/database'),
    '/srv/database',
  );
  list.pair('path_containment to exact inside', true, path('/srv'), exact('/srv/a'), '/srv/a');
  list.pair('path_containment to exact outside', false, path('/srv'), exact('/etc'), '/etc');
  list.pair('path_containment to string_pattern', false, path('/srv'), pattern('/srv/*'), '/srv/a');
  list.pair('url_containment to deeper path', true, url({}), url({ path: '/v1' }), 'https://a.example/v1');
  list.pair(
    'url_containment to another host',
    false,
    url({}),
    url({ host: 'b.example' }),
    'https://b.example/',
  );
  list.pair(
    'url_containment to another scheme',
    false,
    url({}),
    url({ scheme: 'http' }),
    'http://a.example/',
  );
  list.pair(
    'url_containment to another port',
    false,
    url({}),
    url({ port: 8443 }),
    'https://a.example:8443/',
  );
  list.pair(
    'url_containment to exact inside',
    true,
    url({}),
    exact('https://a.example/x'),
    'https://a.example/x',
  );
  list.pair('string_pattern to narrower', true, pattern('a*'), pattern('ab*c'), 'abc');
  list.pair('string_pattern to wider', false, pattern('ab*'), pattern('a*'), 'ab');
  list.pair('string_pattern to exact inside', true, pattern('a*'), exact('ab'), 'ab');
  list.pair('string_pattern to exact outside', false, pattern('a*'), exact('b'), 'b');
  const git = { command: ['git', 'log'] };
  const oneline = { '--oneline': {} };
  list.pair('argv to fewer flags', true, argv({ ...git, flags: oneline }), argv(git), ['git', 'log']);
  list.pair('argv to more flags', false, argv(git), argv({ ...git, flags: oneline }), ['git', 'log']);
  list.pair('argv to another command', false, argv(git), argv({ command: ['git', 'push'] }), ['git', 'push']);
  const malformed: readonly (readonly [string, JsonObject])[] = [
    ['path_containment relative', path('srv')],
    ['path_containment with ..', path('/srv/..')],
    ['path_containment with an unknown member', { ...path('/srv'), follow: true }],
    ['url_containment without scheme', { constraint_type: 'url_containment', host: 'a.example' }],
    ['url_containment with credentials', url({ host: 'u@a.example' })],
    ['string_pattern without pattern', { constraint_type: 'string_pattern' }],
    ['argv with an unknown member', argv({ shell: true })],
    ['argv with a flag that is no flag', argv({ flags: { oneline: {} } })],
  ];
  for (const [name, constraint] of malformed)
    list.constraint('3n', `3n ${name}`, 'artifact.malformed', constraint, 'a');
}
