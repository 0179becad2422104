import { isJsonObject, type JsonObject, type JsonValue } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { Candidate } from './candidate.ts';
import type { Constraint } from './constraint.ts';
import { type ConstraintLimits, ConstraintParser } from './parse-constraint.ts';
import { malformed, readFlag } from './parsing.ts';
import { Work } from './work.ts';

export interface ConstraintEntry {
  readonly constraint: Constraint;
  /** The argument may be omitted; when present it must satisfy the constraint. */
  readonly optional: boolean;
}

/** A tool's constraint map, normalised (AAT-02 §3.3): an empty JSON map has no entries and `unnamed: 'any'`. */
export interface ConstraintMap {
  /** By argument name. */
  readonly entries: ReadonlyMap<string, ConstraintEntry>;
  /** `any` where the map carries `"*"`: arguments it does not name are admitted with any value. */
  readonly unnamed: 'any' | 'denied';
}

/** The reserved key for arguments the map does not name. */
const UNNAMED = '*';

/**
 * Steps that comparing two maps may take, well under a second. Two core composites that each fill a 64 KiB token with
 * clauses stay below it.
 */
const MAX_SUBSUMPTION_STEPS = 4_000_000;

/**
 * Parses a tool's constraint map (AAT-02 §3.3, §3.4; §8 steps 3n and 4o).
 *
 * @returns `artifact.malformed` if any constraint in it is not well-formed, too deep or of an unknown type.
 */
export function parseConstraintMap(json: JsonObject, limits: ConstraintLimits = {}): ConstraintMap | Denial {
  const parser = new ConstraintParser(limits);
  if (!isJsonObject(json)) return malformed('constraint map is not an object');
  const entries = new Map<string, ConstraintEntry>();
  let unnamed: ConstraintMap['unnamed'] = 'denied';
  for (const [name, value] of Object.entries(json)) {
    const constraint = parser.parse(value, name === UNNAMED ? [] : ['optional']);
    if (isDenial(constraint)) return malformed(`argument ${quote(name)}: ${constraint.detail}`);
    if (name === UNNAMED) {
      if (constraint.type !== 'wildcard') return malformed('"*" must be a wildcard');
      unnamed = 'any';
      continue;
    }
    const optional = isJsonObject(value) ? readFlag(value, 'optional', false) : undefined;
    if (optional === undefined) return malformed(`argument ${quote(name)}: optional must be a boolean`);
    entries.set(name, { constraint, optional });
  }
  return { entries, unnamed: entries.size === 0 ? 'any' : unnamed };
}

/**
 * The first argument that the map does not grant, or undefined (AAT-02 §8 step 6b, closed world). The detail names the
 * argument, never its value, and not a name that the map does not know: the caller made that up, too.
 *
 * @returns `scope.arguments_not_granted`.
 */
export function findArgumentViolation(map: ConstraintMap, args: JsonObject): Denial | undefined {
  for (const [index, name] of Object.keys(args).entries()) {
    const entry = map.entries.get(name);
    if (entry === undefined) {
      if (map.unnamed === 'denied') return notGranted(`argument ${index + 1} is not named`);
      continue;
    }
    const value = args[name];
    if (value === undefined || !checkConstraint(entry.constraint, value)) {
      return notGranted(`argument ${quote(name)} violates its ${entry.constraint.type} constraint`);
    }
  }
  for (const [name, { optional }] of map.entries) {
    if (!optional && !Object.hasOwn(args, name)) {
      return notGranted(`argument ${quote(name)} is required`);
    }
  }
  return undefined;
}

/**
 * What a derived map grants beyond its parent, or undefined (AAT-02 §4.5; §8 steps 4p2 to 4p4).
 *
 * @returns `artifact.attenuation_invalid`.
 */
export function findMapAmplification(parent: ConstraintMap, child: ConstraintMap): Denial | undefined {
  if (child.unnamed === 'any' && parent.unnamed === 'denied') return amplified('"*" is not in the parent');
  for (const [name, { optional }] of parent.entries) {
    if (child.entries.has(name)) continue;
    if (!optional) return amplified(`argument ${quote(name)} is required by the parent and omitted`);
    if (child.unnamed === 'any') return amplified(`argument ${quote(name)} returns under "*"`);
  }
  const work = new Work(MAX_SUBSUMPTION_STEPS);
  for (const [name, entry] of child.entries) {
    const parentEntry = parent.entries.get(name);
    if (parentEntry === undefined) {
      // Under the parent's "*", a wildcard, which subsumes every constraint.
      if (parent.unnamed === 'denied') return amplified(`argument ${quote(name)} is not in the parent`);
      continue;
    }
    if (entry.optional && !parentEntry.optional) {
      return amplified(`argument ${quote(name)} is required by the parent`);
    }
    if (!parentEntry.constraint.subsumes(entry.constraint, work)) {
      const types = `${parentEntry.constraint.type} to ${entry.constraint.type}`;
      return amplified(`argument ${quote(name)} is not attenuated (${types})`);
    }
  }
  return undefined;
}

/** Whether a value satisfies a constraint (AAT-02 §3.4, §5.1 `check`). */
export function checkConstraint(constraint: Constraint, value: JsonValue): boolean {
  return constraint.accepts(new Candidate(value));
}

/**
 * Whether `child` is a valid attenuation of `parent` (AAT-02 §4.5, §5.1). Sound: if true, every value that satisfies
 * `child` satisfies `parent`. Only the pairs of types that the draft or a registration lists can be true.
 */
export function subsumes(parent: Constraint, child: Constraint): boolean {
  return parent.subsumes(child, new Work(MAX_SUBSUMPTION_STEPS));
}

function notGranted(detail: string): Denial {
  return deny('scope.arguments_not_granted', detail);
}

function amplified(detail: string): Denial {
  return deny('artifact.attenuation_invalid', detail);
}

const MAX_QUOTED_CHARACTERS = 100;

function quote(name: string): string {
  return JSON.stringify(
    name.length <= MAX_QUOTED_CHARACTERS ? name : `${name.slice(0, MAX_QUOTED_CHARACTERS)}…`,
  );
}
