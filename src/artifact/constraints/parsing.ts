import type { JsonObject, JsonValue } from '../../codec/index.ts';
import { type Denial, deny } from '../../denial/index.ts';
import type { Constraint } from './constraint.ts';
import type { Work } from './work.ts';

/** What a type's parser may lean on. */
export interface Parsing {
  /** Constraints and listed values still accepted in this map. */
  readonly work: Work;
  /** Parses a clause, one level deeper than the constraint being parsed. */
  clause(json: JsonValue): Constraint | Denial;
  /** Parses a constraint that is neither composite nor itself an `argv`, at the level of the one being parsed. */
  leaf(json: JsonValue): Constraint | Denial;
}

/** A constraint type: the members it has besides `constraint_type`, and its parser. */
export interface TypeDefinition {
  readonly members: readonly string[];
  parse(json: JsonObject, parsing: Parsing): Constraint | Denial;
}

/** INVARIANT: `problem` names members and types, never values. */
export function malformed(problem: string): Denial {
  return deny('artifact.malformed', problem);
}

/** A member that is a boolean or absent; `fallback` where absent, undefined where it is anything else. */
export function readFlag(json: JsonObject, member: string, fallback: boolean): boolean | undefined {
  if (!Object.hasOwn(json, member)) return fallback;
  const value = json[member];
  return typeof value === 'boolean' ? value : undefined;
}

/** Whether the object has no member but those listed. */
export function hasOnly(json: JsonObject, members: readonly string[]): boolean {
  return Object.keys(json).every((member) => members.includes(member));
}

export function memberOf(json: JsonObject, member: string): JsonValue | undefined {
  return Object.hasOwn(json, member) ? json[member] : undefined;
}
