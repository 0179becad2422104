import type { JsonObject, JsonValue } from '../../codec/index.ts';
import { type Denial, isDenial } from '../../denial/index.ts';
import { Candidate, isArray } from './candidate.ts';
import { All, Any } from './composite-constraints.ts';
import type { Constraint } from './constraint.ts';
import { malformed, memberOf, type Parsing, readFlag, type TypeDefinition } from './parsing.ts';
import { type Bound, Exact, Range, Wildcard } from './scalar-constraints.ts';
import { Contains, NotOneOf, OneOf, Subset } from './set-constraints.ts';

/** The well-formedness rules of AAT-02 §3.4 for the core types. */
export const CORE_TYPES: ReadonlyMap<string, TypeDefinition> = new Map<string, TypeDefinition>([
  ['exact', { members: ['value'], parse: parseExact }],
  ['range', { members: ['min', 'max', 'min_inclusive', 'max_inclusive'], parse: parseRange }],
  ['one_of', { members: ['values'], parse: parseOneOf }],
  ['not_one_of', setType('excluded', (keys) => new NotOneOf(keys))],
  ['contains', setType('required', (keys) => new Contains(keys))],
  ['subset', setType('allowed', (keys) => new Subset(keys))],
  ['wildcard', { members: [], parse: () => new Wildcard() }],
  ['all', { members: ['constraints'], parse: clausesInto((clauses) => new All(clauses)) }],
  ['any', { members: ['constraints'], parse: clausesInto((clauses) => new Any(clauses)) }],
]);

function parseExact(json: JsonObject): Constraint | Denial {
  const value = memberOf(json, 'value');
  if (value === undefined || (typeof value === 'object' && value !== null)) {
    return malformed('exact.value must be a scalar');
  }
  const candidate = new Candidate(value);
  const { key } = candidate;
  return key === undefined ? malformed('exact.value has no canonical form') : new Exact(candidate, key);
}

function parseRange(json: JsonObject): Constraint | Denial {
  const min = parseBound(json, 'min');
  if (isDenial(min)) return min;
  const max = parseBound(json, 'max');
  if (isDenial(max)) return max;
  if (min !== undefined && max !== undefined && min.value > max.value) {
    return malformed('range.min exceeds range.max');
  }
  return new Range(min, max);
}

function parseBound(json: JsonObject, member: 'min' | 'max'): Bound | undefined | Denial {
  const inclusive = readFlag(json, `${member}_inclusive`, true);
  if (inclusive === undefined) return malformed(`range.${member}_inclusive must be a boolean`);
  if (!Object.hasOwn(json, member)) {
    return Object.hasOwn(json, `${member}_inclusive`)
      ? malformed(`range.${member}_inclusive without range.${member}`)
      : undefined;
  }
  const value = json[member];
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    return malformed(`range.${member} must be a number`);
  }
  return { value, inclusive };
}

function parseOneOf(json: JsonObject, parsing: Parsing): Constraint | Denial {
  const values = parseValues(json, 'values', parsing);
  if (isDenial(values)) return values;
  return values.size === 0 ? malformed('one_of.values must not be empty') : new OneOf(values);
}

function setType(member: string, make: (keys: ReadonlySet<string>) => Constraint): TypeDefinition {
  return {
    members: [member],
    parse(json, parsing) {
      const values = parseValues(json, member, parsing);
      return isDenial(values) ? values : make(new Set(values.keys()));
    },
  };
}

function parseValues(
  json: JsonObject,
  member: string,
  { work }: Parsing,
): ReadonlyMap<string, Candidate> | Denial {
  const list = memberOf(json, member);
  if (!isArray(list)) return malformed(`${member} must be an array`);
  if (!work.spend(list.length)) return malformed('constraint map too large');
  const values = new Map<string, Candidate>();
  for (const value of list) {
    const candidate = new Candidate(value);
    if (candidate.key === undefined) return malformed(`${member} holds a value without canonical form`);
    values.set(candidate.key, candidate);
  }
  return values;
}

function clausesInto(make: (clauses: readonly Constraint[]) => Constraint): TypeDefinition['parse'] {
  return (json, parsing) => {
    const list: JsonValue | undefined = memberOf(json, 'constraints');
    if (!isArray(list)) return malformed('constraints must be an array');
    if (list.length === 0) return malformed('constraints must not be empty');
    const clauses: Constraint[] = [];
    for (const item of list) {
      const clause = parsing.clause(item);
      if (isDenial(clause)) return clause;
      clauses.push(clause);
    }
    return make(clauses);
  };
}
