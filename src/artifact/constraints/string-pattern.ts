import type { JsonObject } from '../../codec/index.ts';
import type { Denial } from '../../denial/index.ts';
import type { Candidate } from './candidate.ts';
import type { Constraint } from './constraint.ts';
import { acceptsEveryListedValue, costOf } from './listed-values.ts';
import { malformed, memberOf, type TypeDefinition } from './parsing.ts';
import type { Work } from './work.ts';

export const MAX_PATTERN_CHARACTERS = 1024;
export const MAX_MATCHED_CHARACTERS = 16_384;

/**
 * Stands for "any run" when one pattern is matched against another. A lone surrogate occurs in no literal, because
 * patterns are well-formed Unicode, so only a `*` can match it.
 */
const ANY_RUN = '\ud800';

/**
 * `string_pattern`: a glob whose only operator is `*`, any run of characters, slashes and line ends included
 * (`spec/artifact-constraints.md`). No regular expressions, no backtracking.
 */
export class StringPattern implements Constraint {
  readonly type = 'string_pattern';
  /** The texts between the stars; a pattern without star is a single literal. */
  readonly literals: readonly Literal[];

  constructor(literals: readonly string[]) {
    this.literals = literals.map((text) => new Literal(text));
  }

  accepts({ value }: Candidate): boolean {
    return (
      typeof value === 'string' &&
      value.length <= MAX_MATCHED_CHARACTERS &&
      value.isWellFormed() &&
      this.#matches(value)
    );
  }

  /**
   * Exact, not merely sound: a star of the child can become any text, so it must fall to a star of the parent, and
   * matching the child's pattern with a fresh symbol for each of its stars decides just that.
   */
  subsumes(child: Constraint, work: Work): boolean {
    if (!(child instanceof StringPattern)) return acceptsEveryListedValue(this, child, work);
    const text = child.literals.map((literal) => literal.text).join(ANY_RUN);
    return work.spend(costOf(text)) && this.#matches(text);
  }

  #matches(text: string): boolean {
    const [first, ...others] = this.literals;
    if (first === undefined || !text.startsWith(first.text)) return false;
    const last = others.pop();
    if (last === undefined) return text === first.text;
    const end = text.length - last.text.length;
    if (!text.endsWith(last.text)) return false;
    let position = first.text.length;
    for (const literal of others) {
      // The leftmost place leaves most for what follows, so nothing need be tried again.
      const found = literal.findIn(text, position, end);
      if (found === undefined) return false;
      position = found + literal.text.length;
    }
    return position <= end;
  }
}

/** A text to look for in time linear in the text searched (Knuth, Morris and Pratt), which `indexOf` is not. */
class Literal {
  readonly text: string;
  /** For each position, the length of the longest proper prefix that is a suffix of what ends there. */
  readonly #borders: Uint16Array;

  constructor(text: string) {
    this.text = text;
    this.#borders = new Uint16Array(text.length);
    for (let position = 1, matched = 0; position < text.length; position += 1) {
      while (matched > 0 && text.charCodeAt(position) !== text.charCodeAt(matched)) {
        matched = this.#borders[matched - 1] ?? 0;
      }
      if (text.charCodeAt(position) === text.charCodeAt(matched)) matched += 1;
      this.#borders[position] = matched;
    }
  }

  /** Where this first occurs within `[start, end)`. */
  findIn(haystack: string, start: number, end: number): number | undefined {
    const { text } = this;
    if (text === '') return start <= end ? start : undefined;
    for (let position = start, matched = 0; position < end; position += 1) {
      const unit = haystack.charCodeAt(position);
      while (matched > 0 && unit !== text.charCodeAt(matched)) matched = this.#borders[matched - 1] ?? 0;
      if (unit === text.charCodeAt(matched)) matched += 1;
      if (matched === text.length) return position + 1 - text.length;
    }
    return undefined;
  }
}

export const STRING_PATTERN: TypeDefinition = { members: ['pattern'], parse: parseStringPattern };

function parseStringPattern(json: JsonObject): Constraint | Denial {
  const pattern = memberOf(json, 'pattern');
  if (typeof pattern !== 'string' || pattern.length > MAX_PATTERN_CHARACTERS || !pattern.isWellFormed()) {
    return malformed(
      `string_pattern.pattern must be a string of at most ${MAX_PATTERN_CHARACTERS} characters`,
    );
  }
  const literals = splitPattern(pattern);
  return literals === undefined
    ? malformed('string_pattern.pattern escapes something other than "*" and "\\"')
    : new StringPattern(literals);
}

function splitPattern(pattern: string): readonly string[] | undefined {
  const literals: string[] = [];
  let literal = '';
  for (let position = 0; position < pattern.length; position += 1) {
    let character = pattern.charAt(position);
    if (character === '*') {
      literals.push(literal);
      literal = '';
      continue;
    }
    if (character === '\\') {
      position += 1;
      character = pattern.charAt(position);
      if (character !== '*' && character !== '\\') return undefined;
    }
    literal += character;
  }
  literals.push(literal);
  return literals;
}
