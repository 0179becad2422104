import type { JsonValue } from '../../codec/index.ts';
import { Candidate, isArray } from './candidate.ts';
import type { Constraint } from './constraint.ts';
import { acceptsEveryListedValue } from './listed-values.ts';
import type { Work } from './work.ts';

export const MAX_ARGV_ELEMENTS = 1024;
export const MAX_ARGV_CHARACTERS = 32_768;

/** What a flag's value is read as. */
export type FlagValue = 'string' | 'integer';

export interface FlagRule {
  /** Undefined for a switch, which takes no value. */
  readonly value: FlagValue | undefined;
  /** What the value must satisfy: as text, or as the number it spells. */
  readonly constraint: Constraint;
  readonly repeatable: boolean;
  readonly required: boolean;
}

export interface ArgvGrammar {
  /** Literal leading elements. */
  readonly command: readonly string[];
  /** By name, dashes included. */
  readonly flags: ReadonlyMap<string, FlagRule>;
  /** What each leading operand must satisfy; all must be there. */
  readonly positionals: readonly Constraint[];
  /** What further operands must satisfy; undefined where there must be none. */
  readonly rest: Constraint | undefined;
  /** Whether flags may follow operands. */
  readonly interleaved: boolean;
  /** Whether `--` may end the flags. */
  readonly terminator: boolean;
  /** Whether elements and flag values may start with `@`. */
  readonly responseFiles: boolean;
}

/**
 * `argv`: an array of strings that a typed argument grammar describes (`spec/artifact-constraints.md`). Whatever the
 * grammar does not name is refused, and so is what programs read in different ways: abbreviated, clustered or attached
 * short flags, separate values that look like flags, and, unless declared, `--`, `@file` and flags after operands.
 */
export class Argv implements Constraint {
  readonly type = 'argv';
  readonly grammar: ArgvGrammar;

  constructor(grammar: ArgvGrammar) {
    this.grammar = grammar;
  }

  accepts({ value }: Candidate): boolean {
    const { command, flags, interleaved, terminator, responseFiles } = this.grammar;
    const elements = readElements(value);
    if (elements === undefined || command.some((literal, index) => elements[index] !== literal)) return false;

    const seen = new Set<string>();
    const operands: string[] = [];
    let flagsEnded = false;
    for (let position = command.length; position < elements.length; position += 1) {
      const element = elements[position] ?? '';
      if (!responseFiles && element.startsWith('@')) return false;
      if (flagsEnded || !looksLikeFlag(element)) {
        operands.push(element);
        continue;
      }
      if (operands.length > 0 && !interleaved) return false;
      if (element === '--') {
        if (!terminator) return false;
        flagsEnded = true;
        continue;
      }
      const [name, attached] = splitFlag(element);
      const rule = flags.get(name);
      if (rule === undefined || (seen.has(name) && !rule.repeatable)) return false;
      seen.add(name);
      if (rule.value === undefined) {
        if (attached !== undefined) return false;
        continue;
      }
      if (attached === undefined) position += 1;
      const text = attached ?? elements[position];
      if (text === undefined || (attached === undefined && looksLikeFlag(text))) return false;
      if (!responseFiles && text.startsWith('@')) return false;
      if (!acceptsFlagValue(rule.value, rule.constraint, text)) return false;
    }
    for (const [name, { required }] of flags) if (required && !seen.has(name)) return false;
    return this.#acceptsOperands(operands);
  }

  #acceptsOperands(operands: readonly string[]): boolean {
    const { positionals, rest } = this.grammar;
    if (operands.length < positionals.length) return false;
    return operands.every((operand, index) => {
      const constraint = positionals[index] ?? rest;
      return constraint?.accepts(new Candidate(operand)) ?? false;
    });
  }

  /**
   * INVARIANT: what the child accepts, the parent reads the same way. Flags of the child are flags of the parent with
   * the same kind of value, so each element has the same role in both.
   */
  subsumes(child: Constraint, work: Work): boolean {
    if (!(child instanceof Argv)) return acceptsEveryListedValue(this, child, work);
    const parent = this.grammar;
    const derived = child.grammar;
    return (
      work.spend(parent.command.length + parent.flags.size + parent.positionals.length) &&
      parent.command.length === derived.command.length &&
      parent.command.every((literal, index) => literal === derived.command[index]) &&
      (parent.interleaved || !derived.interleaved) &&
      (parent.terminator || !derived.terminator) &&
      (parent.responseFiles || !derived.responseFiles) &&
      subsumesFlags(parent, derived, work) &&
      subsumesOperands(parent, derived, work)
    );
  }
}

function subsumesFlags(parent: ArgvGrammar, derived: ArgvGrammar, work: Work): boolean {
  for (const [name, rule] of derived.flags) {
    const parentRule = parent.flags.get(name);
    if (parentRule === undefined || parentRule.value !== rule.value) return false;
    if (rule.repeatable && !parentRule.repeatable) return false;
    if (!work.spend(1) || !parentRule.constraint.subsumes(rule.constraint, work)) return false;
  }
  for (const [name, { required }] of parent.flags) {
    if (required && !derived.flags.get(name)?.required) return false;
  }
  return true;
}

function subsumesOperands(parent: ArgvGrammar, derived: ArgvGrammar, work: Work): boolean {
  if (derived.positionals.length < parent.positionals.length) return false;
  const atEachPlace = derived.positionals.every((constraint, index) => {
    const parentConstraint = parent.positionals[index] ?? parent.rest;
    return work.spend(1) && (parentConstraint?.subsumes(constraint, work) ?? false);
  });
  if (!atEachPlace || derived.rest === undefined) return atEachPlace;
  return parent.rest?.subsumes(derived.rest, work) ?? false;
}

/** The elements, or undefined where they are not what can be passed to a program, or too many. */
function readElements(value: JsonValue): readonly string[] | undefined {
  if (!isArray(value) || value.length > MAX_ARGV_ELEMENTS) return undefined;
  const elements: string[] = [];
  let characters = 0;
  for (const element of value) {
    if (typeof element !== 'string') return undefined;
    characters += element.length;
    if (characters > MAX_ARGV_CHARACTERS || element.includes('\0') || !element.isWellFormed())
      return undefined;
    elements.push(element);
  }
  return elements;
}

/** A lone dash is an operand by convention (POSIX.1-2017 §12.2, guideline 13). */
function looksLikeFlag(element: string): boolean {
  return element.length > 1 && element.startsWith('-');
}

/** Only long flags attach a value with `=`; to getopt, `-n=5` gives `-n` the value `=5`. */
function splitFlag(element: string): readonly [name: string, attached: string | undefined] {
  const equals = element.startsWith('--') ? element.indexOf('=') : -1;
  return equals === -1 ? [element, undefined] : [element.slice(0, equals), element.slice(equals + 1)];
}

const INTEGER = /^(?:0|-?[1-9]\d{0,14})$/;

function acceptsFlagValue(kind: FlagValue, constraint: Constraint, text: string): boolean {
  if (kind === 'string') return constraint.accepts(new Candidate(text));
  return INTEGER.test(text) && constraint.accepts(new Candidate(Number(text)));
}
