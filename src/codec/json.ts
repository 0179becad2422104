import { type Denial, deny, isDenial, type ReasonCode } from '../denial/index.ts';
import { isAdmissibleNumber } from './number.ts';
import { isOutOfProportion, PROPORTION_EXEMPT_BYTES } from './proportion.ts';

export type JsonPrimitive = string | number | boolean | null;
export type JsonArray = readonly JsonValue[];
export interface JsonObject {
  readonly [member: string]: JsonValue;
}
export type JsonValue = JsonPrimitive | JsonArray | JsonObject;

export interface JsonLimits {
  /** Longest accepted text, in UTF-8 bytes. */
  readonly maxBytes?: number;
  /** Deepest accepted nesting of arrays and objects; a scalar has depth 0. */
  readonly maxDepth?: number;
  /**
   * Members of the outermost object whose number, where it is one, must be written without fraction and exponent
   * (`1e3` and `1.0` are refused): once parsed they cannot be told from `1000` and `1`.
   */
  readonly integerMembers?: ReadonlySet<string>;
}

export const DEFAULT_MAX_BYTES = 1_048_576;
export const DEFAULT_MAX_DEPTH = 64;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses JSON (RFC 8259) from an untrusted source, refusing what parsers disagree about: duplicate members, numbers
 * that a double cannot hold as written (AAT-02 §3.4), lone surrogates, `__proto__` members, and anything over the
 * bounds. Bytes must be valid UTF-8 without a byte order mark.
 *
 * @param code the reason code of the denial when the text is refused.
 */
export function parseJson(
  input: string | Uint8Array,
  code: ReasonCode,
  limits: JsonLimits = {},
): JsonValue | Denial {
  const maxBytes = limits.maxBytes ?? DEFAULT_MAX_BYTES;
  const size = typeof input === 'string' ? Buffer.byteLength(input) : input.byteLength;
  if (size > maxBytes) return deny(code, `JSON text of ${size} bytes exceeds ${maxBytes}`);

  const maxDepth = limits.maxDepth ?? DEFAULT_MAX_DEPTH;
  if (size > PROPORTION_EXEMPT_BYTES) {
    // The engine would build all of it before anybody could say how deep it is.
    const bytes = typeof input === 'string' ? Buffer.from(input) : input;
    if (isOutOfProportion(bytes, maxDepth)) return deny(code, 'too many values, or nested too deep');
  }
  let text: string;
  let value: JsonValue;
  try {
    text = typeof input === 'string' ? input : utf8.decode(input);
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    // The engine's message quotes the input, which may be secret: it is not repeated.
    return deny(code, error instanceof SyntaxError ? 'not JSON' : 'not UTF-8');
  }
  // INVARIANT: from here `text` is valid JSON, so the walk only looks for what JSON.parse tolerates.
  const problem = findAmbiguity(text, maxDepth, limits.integerMembers);
  return problem === undefined ? value : deny(code, problem);
}

/** {@link parseJson}, refusing anything but an object at the top. */
export function parseJsonObject(
  input: string | Uint8Array,
  code: ReasonCode,
  limits: JsonLimits = {},
): JsonObject | Denial {
  const value = parseJson(input, code, limits);
  if (isJsonObject(value)) return value;
  return isDenial(value) ? value : deny(code, 'expected a JSON object');
}

export function isJsonObject(value: unknown): value is JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const INTEGER = /^-?\d+$/;

/** Walks valid JSON text once; returns what is ambiguous about it, or undefined. */
function findAmbiguity(
  text: string,
  maxDepth: number,
  integerMembers: ReadonlySet<string> | undefined,
): string | undefined {
  /** Open containers: the members seen so far for an object, undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  let expectName = false;
  /** The member of the outermost container that the walk is in. */
  let outermost = '';
  let position = 0;
  while (position < text.length) {
    const character = text.charCodeAt(position);
    if (character === QUOTE) {
      const end = endOfString(text, position);
      const decoded = decodeString(text, position, end, expectName);
      if (!decoded.isWellFormed()) return 'lone surrogate in a string';
      if (expectName) {
        if (decoded === '__proto__') return 'member named __proto__';
        const members = open.at(-1);
        if (members?.has(decoded)) return `duplicate member at character ${position}`;
        members?.add(decoded);
        if (open.length === 1) outermost = decoded;
        expectName = false;
      }
      position = end + 1;
    } else if (character === 0x7b || character === 0x5b) {
      open.push(character === 0x7b ? new Set() : undefined);
      if (open.length > maxDepth) return `nesting deeper than ${maxDepth}`;
      expectName = character === 0x7b;
      position += 1;
    } else if (character === 0x7d || character === 0x5d) {
      open.pop();
      expectName = false;
      position += 1;
    } else if (character === 0x2c) {
      expectName = open.at(-1) !== undefined;
      position += 1;
    } else if (character === 0x2d || (character >= 0x30 && character <= 0x39)) {
      const end = endOfNumber(text, position);
      const number = text.slice(position, end);
      if (!isAdmissibleNumber(number)) return `number at character ${position} is not admissible`;
      if (open.length === 1 && integerMembers?.has(outermost) && !INTEGER.test(number)) {
        return `member ${outermost} is not written as an integer`;
      }
      position = end;
    } else {
      position += 1;
    }
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); ; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1;
    while (before > start && text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((quote - 1 - before) % 2 === 0) return quote;
  }
}

/** What a string says; where it is no name and no escape of it can make it ill-formed, as it is written. */
function decodeString(text: string, start: number, end: number, isName: boolean): string {
  const raw = text.slice(start + 1, end);
  if (!raw.includes(isName ? '\\' : '\\u')) return raw;
  return JSON.parse(text.slice(start, end + 1)) as string;
}

function endOfNumber(text: string, start: number): number {
  let position = start + 1;
  while (position < text.length && '0123456789+-.eE'.includes(text.charAt(position))) position += 1;
  return position;
}
