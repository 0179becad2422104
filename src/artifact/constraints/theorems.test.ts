import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import {
  type Constraint,
  type ConstraintMap,
  checkConstraint,
  findArgumentViolation,
  findMapAmplification,
  parseConstraint,
  parseConstraintMap,
  subsumes,
} from './index.ts';

// Small universes, so that unrelated constraints often meet on the same value.

type Json = Record<string, JsonValue>;

const TEXTS = ['', 'a', 'ab', 'aab', 'abab', '*', 'pdf', '/', '/srv', '/srv/a', '/srv/a/b', '/srvx', 'é'];
const URLS = [
  'https://h.example',
  'https://h.example/api',
  'https://h.example/api/x',
  'http://h.example/api',
];
const SCALARS: JsonValue[] = [...TEXTS, ...URLS, 0, -0, 1, 2, 1.5, -1, 5, 9007199254740994, true, null];
const ARGVS: JsonValue[] = [
  [],
  ['-v'],
  ['-v', '-v'],
  ['-n', '1'],
  ['-n', '5', 'a'],
  ['--out=/srv/a'],
  ['--out', '/srv', 'a', '-v'],
  ['a', '--', '-v'],
  ['--', '-v'],
  ['--', 'ab', 'ab'],
  ['@a'],
  ['-'],
  ['a', 'ab'],
];

const scalar = fc.constantFrom(...SCALARS);
const scalars = fc.array(scalar, { maxLength: 4 });
const anyValue: fc.Arbitrary<JsonValue> = fc.oneof(
  { weight: 4, arbitrary: scalar },
  { weight: 2, arbitrary: scalars },
  { weight: 2, arbitrary: fc.constantFrom(...ARGVS) },
  { weight: 1, arbitrary: fc.constantFrom<JsonValue>({}, { x: 1 }, [[1]], [{ x: -0 }]) },
);
const values = fc.array(anyValue, { maxLength: 4 });
const nonEmptyValues = fc.array(anyValue, { minLength: 1, maxLength: 4 });

const bound = fc.constantFrom(-1, -0, 0, 1, 1.5, 2, 5);
const range: fc.Arbitrary<Json> = fc
  .tuple(fc.option(bound), fc.option(bound), fc.option(fc.boolean()), fc.option(fc.boolean()))
  .map(([left, right, minInclusive, maxInclusive]) => rangeOf(left, right, minInclusive, maxInclusive));

function rangeOf(
  left: number | null,
  right: number | null,
  minInclusive: boolean | null,
  maxInclusive: boolean | null,
): Json {
  const swap = left !== null && right !== null && left > right;
  const [min, max] = swap ? [right, left] : [left, right];
  return {
    constraint_type: 'range',
    ...(min === null ? {} : { min, ...(minInclusive === null ? {} : { min_inclusive: minInclusive }) }),
    ...(max === null ? {} : { max, ...(maxInclusive === null ? {} : { max_inclusive: maxInclusive }) }),
  };
}

const roots = fc.constantFrom('/', '/srv', '/srv/', '/srv/./a', '/srv/a//b', '/srvx');
const patterns = fc.constantFrom(
  '*',
  '**',
  'a',
  'a*',
  '*a',
  '*b',
  'a*b',
  '*a*',
  'ab*ab',
  '\\*',
  '/srv*',
  '/srv/*',
  '*ab*',
  'a*a*b',
  'é*',
  '',
);
const exact = scalar.map((value): Json => ({ constraint_type: 'exact', value }));
const oneOf = nonEmptyValues.map((list): Json => ({ constraint_type: 'one_of', values: list }));
const path = roots.map((root): Json => ({ constraint_type: 'path_containment', root }));
const pattern = patterns.map((text): Json => ({ constraint_type: 'string_pattern', pattern: text }));
const url = fc
  .tuple(
    fc.constantFrom('http', 'https'),
    fc.constantFrom(80, 443, null),
    fc.constantFrom('/', '/api', '/api/', null),
  )
  .map(
    ([scheme, port, prefix]): Json => ({
      constraint_type: 'url_containment',
      scheme,
      host: 'h.example',
      ...(port === null ? {} : { port }),
      ...(prefix === null ? {} : { path: prefix }),
    }),
  );
const wildcard: fc.Arbitrary<Json> = fc.constant({ constraint_type: 'wildcard' });
const leaf = fc.oneof(exact, oneOf, path, pattern, wildcard, range, url);

const flag: fc.Arbitrary<Json> = fc.oneof(
  fc.record({ repeatable: fc.boolean(), required: fc.boolean() }, { requiredKeys: [] }),
  fc.record(
    {
      value: fc.constantFrom('string', 'integer'),
      repeatable: fc.boolean(),
      required: fc.boolean(),
      constraint: leaf,
    },
    { requiredKeys: ['value'] },
  ),
);
const argv: fc.Arbitrary<Json> = fc
  .record(
    {
      flags: fc.dictionary(fc.constantFrom('-v', '-n', '--out'), flag, { maxKeys: 3, noNullPrototype: true }),
      positionals: fc.array(leaf, { maxLength: 2 }),
      rest: leaf,
      interleaved: fc.boolean(),
      terminator: fc.boolean(),
      response_files: fc.boolean(),
      command: fc.constantFrom<JsonValue>([], ['a']),
    },
    { requiredKeys: [] },
  )
  .map((members): Json => ({ constraint_type: 'argv', ...members }));

const { constraint: anyConstraint } = fc.letrec<{ constraint: Json }>((tie) => ({
  constraint: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    leaf,
    argv,
    values.map((excluded): Json => ({ constraint_type: 'not_one_of', excluded })),
    values.map((required): Json => ({ constraint_type: 'contains', required })),
    values.map((allowed): Json => ({ constraint_type: 'subset', allowed })),
    fc
      .tuple(fc.constantFrom('all', 'any'), fc.array(tie('constraint'), { minLength: 1, maxLength: 3 }))
      .map(([type, constraints]): Json => ({ constraint_type: type, constraints })),
  ),
}));

const arrayIn = (json: Json, member: string): JsonValue[] => [...((json[member] ?? []) as JsonValue[])];
const objectsIn = (json: Json, member: string): Json[] => arrayIn(json, member) as Json[];

/** Mostly narrower than `json`, by the rules; now and then narrower but for one detail, or anything at all. */
function narrower(json: Json): fc.Arbitrary<Json> {
  return fc.oneof(
    { weight: 8, arbitrary: narrowed(json) },
    { weight: 2, arbitrary: nearMiss(json) },
    { weight: 1, arbitrary: anyConstraint },
  );
}

/** One small edit away: a member dropped, a boolean flipped, a number or text changed, if that is well-formed. */
function nearMiss(json: Json): fc.Arbitrary<Json> {
  return fc.nat().map((seed) => {
    const edits = editsOf(json);
    const edited = edits[seed % edits.length];
    return edited === undefined || isDenial(parseConstraint(edited)) ? json : (edited as Json);
  });
}

function editsOf(value: JsonValue): JsonValue[] {
  if (typeof value === 'boolean') return [!value];
  if (typeof value === 'number') return [value - 1, value + 1];
  if (typeof value === 'string') return [value.slice(0, -1), value.slice(1), `${value}x`];
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => [
      value.toSpliced(index, 1),
      ...editsOf(item).map((edited) => value.with(index, edited)),
    ]);
  }
  return Object.entries(value ?? {}).flatMap(([name, item]) => {
    if (name === 'constraint_type') return [];
    const { [name]: _, ...others } = value as Json;
    return [others, ...editsOf(item).map((edited) => ({ ...others, [name]: edited }))];
  });
}

function narrowerLeaf(json: Json): fc.Arbitrary<Json> {
  return narrower(json).filter(
    ({ constraint_type }) => !['all', 'any', 'argv'].includes(String(constraint_type)),
  );
}

function narrowed(json: Json): fc.Arbitrary<Json> {
  const listed = (list: JsonValue[]) =>
    fc.oneof(
      fc.subarray(list, { minLength: 1 }).map((some): Json => ({ ...json, values: some })),
      fc
        .constantFrom(...list)
        .map(
          (value): Json =>
            typeof value === 'object' && value !== null
              ? { constraint_type: 'one_of', values: [value] }
              : { constraint_type: 'exact', value },
        ),
    );
  switch (json.constraint_type) {
    case 'wildcard':
      return anyConstraint;
    case 'range':
      return fc.oneof(
        fc.tuple(bound, bound, fc.boolean(), fc.boolean()).map(([a, b, c, d]) => rangeOf(a, b, c, d)),
        bound.map((value): Json => ({ constraint_type: 'exact', value })),
        fc.constant(json.min === undefined ? json : { ...json, min_inclusive: false }),
      );
    case 'one_of':
      return listed(arrayIn(json, 'values'));
    case 'not_one_of':
      return values.map((more) => ({ ...json, excluded: [...arrayIn(json, 'excluded'), ...more] }));
    case 'contains':
      return values.map((more) => ({ ...json, required: [...more, ...arrayIn(json, 'required')] }));
    case 'subset':
      return fc.subarray(arrayIn(json, 'allowed')).map((allowed) => ({ ...json, allowed }));
    case 'all':
      return fc
        .tuple(
          fc.tuple(...objectsIn(json, 'constraints').map(narrower)),
          fc.array(anyConstraint, { maxLength: 1 }),
        )
        .map(([clauses, more]) => ({ ...json, constraints: [...more, ...clauses] }));
    case 'any':
      return fc
        .subarray(objectsIn(json, 'constraints'), { minLength: 1 })
        .chain((clauses) => fc.tuple(...clauses.map(narrower)))
        .map((constraints) => ({ ...json, constraints }));
    case 'path_containment':
      return fc.oneof(
        fc.constantFrom('/a', '//a/.', '', '/').map((suffix) => ({ ...json, root: `${json.root}${suffix}` })),
        witness(json).map((value): Json => ({ constraint_type: 'one_of', values: [value] })),
      );
    case 'url_containment':
      return fc.constantFrom('/', '/api', '/api/x').map((prefix) => ({ ...json, path: prefix }));
    case 'string_pattern':
      return fc.oneof(
        fc.constantFrom('*a', 'b*', '*é*', 'a', '').map((with_) => replaceStars(json, with_)),
        witness(json).map((value): Json => ({ constraint_type: 'exact', value })),
      );
    case 'argv':
      return narrowedArgv(json);
    default:
      return fc.constant(json);
  }
}

function replaceStars(json: Json, replacement: string): Json {
  return { ...json, pattern: String(json.pattern).replace(/(?<!\\)\*/, () => replacement) };
}

function narrowedArgv(json: Json): fc.Arbitrary<Json> {
  const flags = Object.entries((json.flags ?? {}) as Record<string, Json>);
  const keepFlags = fc.tuple(
    ...flags.map(([name, rule]) =>
      fc.tuple(
        fc.constant(name),
        rule.constraint === undefined || rule.constraint === null
          ? fc.constant(rule)
          : narrowerLeaf(rule.constraint as Json).map((constraint): Json => ({ ...rule, constraint })),
        fc.boolean(),
      ),
    ),
  );
  const positionals = fc.tuple(...objectsIn(json, 'positionals').map(narrowerLeaf));
  return fc
    .tuple(keepFlags, positionals, fc.boolean(), fc.boolean())
    .map(([kept, places, closed, oneMore]): Json => {
      const { rest, ...others } = json;
      const more = oneMore && rest !== undefined ? [rest] : [];
      return {
        ...others,
        ...(closed || rest === undefined ? {} : { rest }),
        ...(closed ? { interleaved: false } : {}),
        flags: Object.fromEntries(
          kept.filter(([, rule, keep]) => keep || rule.required === true).map(([name, rule]) => [name, rule]),
        ),
        positionals: [...places, ...more],
      };
    });
}

/** Mostly a value that satisfies `json`. */
function witness(json: Json): fc.Arbitrary<JsonValue> {
  switch (json.constraint_type) {
    case 'exact':
      return fc.constant(json.value ?? null);
    case 'range':
      return fc.oneof(bound, fc.constantFrom(0.5, 3, 100, -100));
    case 'one_of':
      return fc.constantFrom(...arrayIn(json, 'values'));
    case 'contains':
      return scalars.map((more) => [...more, ...arrayIn(json, 'required')]);
    case 'subset':
      return fc.subarray(arrayIn(json, 'allowed'));
    case 'all':
    case 'any':
      return fc.constantFrom(...objectsIn(json, 'constraints')).chain(witness);
    case 'path_containment':
      return fc.constantFrom('', '/', '/a', '//a/./b', '/.').map((suffix) => `${json.root}${suffix}`);
    case 'url_containment':
      return fc
        .constantFrom('', '/x', '?q=..', '#f', 'x')
        .map(
          (end) =>
            `${json.scheme}://H.example:${json.port ?? (json.scheme === 'http' ? 80 : 443)}${json.path ?? '/'}${end}`,
        );
    case 'string_pattern':
      return fc
        .array(fc.constantFrom('', 'a', 'b', 'ab', '/', '\n', '*'), { minLength: 5, maxLength: 5 })
        .map((runs) => {
          let index = 0;
          return String(json.pattern).replace(
            /\\(.)|\*/gs,
            (_, escaped?: string) => escaped ?? runs[index++] ?? '',
          );
        });
    case 'argv':
      return argvWitness(json);
    default:
      return anyValue;
  }
}

function argvWitness(json: Json): fc.Arbitrary<JsonValue> {
  const operandFrom = (constraint: Json) => witness(constraint).map(String);
  const flags = Object.entries((json.flags ?? {}) as Record<string, Json>).map(([name, rule]) => {
    if (rule.value === undefined) return fc.constant([name]);
    const text = rule.constraint === undefined ? fc.constant('5') : operandFrom(rule.constraint as Json);
    return fc
      .tuple(text, fc.boolean())
      .map(([value, attach]) => (attach ? [`${name}=${value}`] : [name, value]));
  });
  const operands = objectsIn(json, 'positionals').map(operandFrom);
  const rest =
    json.rest === undefined ? fc.constant([]) : fc.array(operandFrom(json.rest as Json), { maxLength: 2 });
  const extra = fc.constantFrom<string[]>([], [], ['--'], ['@a'], ['-v'], ['a']);
  return fc
    .tuple(fc.tuple(...flags), extra, fc.tuple(...operands), rest, fc.boolean())
    .chain(([given, more, places, others, inOrder]) => {
      const parts = [...given, more, ...[...places, ...others].map((operand) => [operand])];
      const ordered = inOrder ? fc.constant(parts) : fc.shuffledSubarray([...parts, ...given.slice(0, 1)]);
      return ordered.map((list) => [...arrayIn(json, 'command'), ...list.flat()]);
    });
}

interface Pair {
  readonly parent: Json;
  readonly child: Json;
  readonly candidates: readonly JsonValue[];
}

const pair: fc.Arbitrary<Pair> = anyConstraint.chain((parent) =>
  fc
    .oneof(
      { weight: 3, arbitrary: narrower(parent) },
      { weight: 2, arbitrary: narrower(parent).chain(nearMiss) },
      { weight: 1, arbitrary: anyConstraint },
    )
    .chain((child) =>
      fc
        .tuple(
          fc.array(witness(child), { minLength: 4, maxLength: 8 }),
          fc.array(anyValue, { minLength: 4, maxLength: 8 }),
        )
        .map(([likely, others]) => ({ parent, child, candidates: [...likely, ...others] })),
    ),
);

function parsed(json: Json): Constraint {
  const constraint = parseConstraint(json);
  if (isDenial(constraint)) throw new Error(`generator made ${JSON.stringify(json)}: ${constraint.detail}`);
  return constraint;
}

describe('subsumption', () => {
  it('is sound: what a subsumed constraint accepts, its parent accepts', () => {
    fc.assert(
      fc.property(pair, ({ parent, child, candidates }) => {
        const [p, c] = [parsed(parent), parsed(child)];
        if (!subsumes(p, c)) return;
        for (const value of candidates) {
          if (checkConstraint(c, value)) expect(checkConstraint(p, value), JSON.stringify(value)).toBe(true);
        }
      }),
      { numRuns: 10_000 },
    );
  });

  it('is tested on pairs that subsume and values that satisfy, for every type', () => {
    const subsuming = new Map<string, number>();
    const satisfied = new Map<string, number>();
    const refusedByParent = { count: 0 };
    const samples = fc.sample(pair, { numRuns: 4000, seed: 7 });
    for (const { parent, child, candidates } of samples) {
      const [p, c] = [parsed(parent), parsed(child)];
      const accepted = candidates.filter((value) => checkConstraint(c, value));
      if (!subsumes(p, c)) {
        if (accepted.some((value) => !checkConstraint(p, value))) refusedByParent.count += 1;
        continue;
      }
      subsuming.set(p.type, (subsuming.get(p.type) ?? 0) + 1);
      if (accepted.length > 0) satisfied.set(p.type, (satisfied.get(p.type) ?? 0) + 1);
    }
    const total = [...subsuming.values()].reduce((sum, count) => sum + count, 0);
    expect(total).toBeGreaterThan(samples.length / 4);
    expect(refusedByParent.count).toBeGreaterThan(samples.length / 10);
    for (const [type, count] of subsuming) {
      expect(satisfied.get(type) ?? 0, `${type} of ${count}`).toBeGreaterThan(20);
    }
    expect(subsuming.size).toBe(13);
  });

  it('is reflexive', () => {
    fc.assert(
      fc.property(anyConstraint, (json) => subsumes(parsed(json), parsed(json))),
      { numRuns: 2000 },
    );
  });

  it('is transitive', () => {
    const chain = anyConstraint.chain((top) =>
      narrower(top).chain((middle) => narrower(middle).map((bottom) => [top, middle, bottom] as const)),
    );
    let exercised = 0;
    fc.assert(
      fc.property(chain, (jsons) => {
        const [top, middle, bottom] = [parsed(jsons[0]), parsed(jsons[1]), parsed(jsons[2])];
        if (!subsumes(top, middle) || !subsumes(middle, bottom)) return;
        exercised += 1;
        expect(subsumes(top, bottom)).toBe(true);
      }),
      { numRuns: 3000 },
    );
    expect(exercised).toBeGreaterThan(500);
  });

  it('refuses a pair of types that no rule lists, whatever their members', () => {
    const listed: Record<string, readonly string[]> = {
      exact: ['exact'],
      range: ['range', 'exact'],
      one_of: ['one_of', 'exact'],
      not_one_of: ['not_one_of'],
      contains: ['contains'],
      subset: ['subset'],
      all: ['all'],
      any: ['any'],
      path_containment: ['path_containment', 'exact', 'one_of'],
      url_containment: ['url_containment', 'exact', 'one_of'],
      string_pattern: ['string_pattern', 'exact', 'one_of'],
      argv: ['argv', 'one_of'],
    };
    fc.assert(
      fc.property(pair, ({ parent, child }) => {
        const [p, c] = [parsed(parent), parsed(child)];
        if (subsumes(p, c) && p.type !== 'wildcard') expect(listed[p.type]).toContain(c.type);
      }),
      { numRuns: 2000 },
    );
  });
});

// Maps

const names = fc.constantFrom('path', 'limit', 'constructor', 'toString');
const optional = fc.constantFrom({}, { optional: true }, { optional: false });
const entry = fc.tuple(anyConstraint, optional).map(([json, flagOf]): Json => ({ ...json, ...flagOf }));
const unnamed = fc.constantFrom<Json>({}, {}, { '*': { constraint_type: 'wildcard' } });
const anyMap = fc
  .tuple(fc.dictionary(names, entry, { maxKeys: 3, noNullPrototype: true }), unnamed)
  .map(([entries, rest]): Json => ({ ...entries, ...rest }));

/** Mostly within the parent's map: narrows, drops, and names what is under `"*"`. */
function narrowerMap(parent: Json): fc.Arbitrary<Json> {
  const named = Object.entries(parent).filter(([name]) => name !== '*');
  const entries = fc.tuple(
    ...named.map(([name, json]) => {
      const { optional: wasOptional, ...constraint } = json as Json;
      const flagOf =
        wasOptional === true ? optional : fc.oneof({ weight: 5, arbitrary: fc.constant({}) }, optional);
      return fc.tuple(fc.constant(name), narrower(constraint), flagOf, fc.integer({ min: 0, max: 3 }));
    }),
  );
  const open = named.length === Object.keys(parent).length && named.length > 0 ? fc.constant({}) : unnamed;
  const extra = fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: anyMap });
  return fc.tuple(entries, open, extra).map(([kept, rest, more]) => ({
    ...(more as Json),
    ...Object.fromEntries(
      kept.filter(([, , , dice]) => dice > 0).map(([name, json, flagOf]) => [name, { ...json, ...flagOf }]),
    ),
    ...rest,
  }));
}

function argumentsFor(map: Json): fc.Arbitrary<JsonObject> {
  const named = Object.entries(map).filter(([name]) => name !== '*');
  const given = fc.tuple(
    ...named.map(([name, json]) =>
      fc.tuple(fc.constant(name), witness(json as Json), fc.integer({ min: 0, max: 4 })),
    ),
  );
  const others = fc.dictionary(fc.constantFrom('*', 'path', 'limit', 'other', 'valueOf'), anyValue, {
    maxKeys: 1,
    noNullPrototype: true,
  });
  return fc.tuple(given, others, fc.boolean()).map(([list, more, alone]) => ({
    ...(alone ? {} : more),
    ...Object.fromEntries(list.filter(([, , dice]) => dice > 0).map(([name, value]) => [name, value])),
  }));
}

const mapPair = anyMap.chain((parent) =>
  fc
    .oneof({ weight: 4, arbitrary: narrowerMap(parent) }, { weight: 1, arbitrary: anyMap })
    .chain((child) =>
      fc
        .array(fc.oneof(argumentsFor(child), argumentsFor(parent)), { minLength: 4, maxLength: 8 })
        .map((calls) => ({ parent, child, calls })),
    ),
);

function parsedMap(json: Json): ConstraintMap {
  const map = parseConstraintMap(json);
  if (isDenial(map)) throw new Error(`generator made ${JSON.stringify(json)}: ${map.detail}`);
  return map;
}

describe('map attenuation', () => {
  it('is sound: a call that a derived map grants, its parent grants', () => {
    let exercised = 0;
    let amplifying = 0;
    fc.assert(
      fc.property(mapPair, ({ parent, child, calls }) => {
        const [p, c] = [parsedMap(parent), parsedMap(child)];
        const granted = calls.filter((args) => findArgumentViolation(c, args) === undefined);
        if (findMapAmplification(p, c) !== undefined) {
          if (granted.some((args) => findArgumentViolation(p, args) !== undefined)) amplifying += 1;
          return;
        }
        if (granted.length > 0) exercised += 1;
        for (const args of granted) {
          expect(findArgumentViolation(p, args), JSON.stringify(args)).toBeUndefined();
        }
      }),
      { numRuns: 4000 },
    );
    expect(exercised).toBeGreaterThan(400);
    expect(amplifying).toBeGreaterThan(200);
  });

  it('is reflexive', () => {
    fc.assert(
      fc.property(anyMap, (json) => findMapAmplification(parsedMap(json), parsedMap(json)) === undefined),
      { numRuns: 1000 },
    );
  });
});
