const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Longest member name that is compared; the ones looked for are shorter. */
const MAX_NAME_BYTES = 512;

/** Where a member lies in the bytes of a JSON text. */
export interface MemberSpan {
  /** Its name's opening quote. */
  readonly nameStart: number;
  /** Its value, end exclusive. */
  readonly start: number;
  readonly end: number;
}

/**
 * Finds a member by the names that lead to it from the outermost object. Names are compared as they are read, escapes
 * included.
 *
 * INVARIANT: the bytes are JSON that `parseMessage` accepted, so that no name stands twice and every reader finds the same
 * member. On anything else the answer is meaningless, but the walk ends.
 */
export function findMember(json: Buffer, path: readonly string[]): MemberSpan | undefined {
  let start = 0;
  let found: MemberSpan | undefined;
  for (const name of path) {
    found = memberOf(json, start, name);
    if (found === undefined) return undefined;
    start = found.start;
  }
  return found;
}

/** The text of a member's value. */
export function memberText(json: Buffer, path: readonly string[]): string | undefined {
  const span = findMember(json, path);
  return span === undefined ? undefined : json.toString('utf8', span.start, span.end);
}

/** The same text with another value in a place; every other byte stays. */
export function replaceValue(json: Buffer, { start, end }: MemberSpan, value: string): Buffer {
  return Buffer.concat([json.subarray(0, start), Buffer.from(value), json.subarray(end)]);
}

/** The same text without a member and the comma that parted it from its neighbour; every other byte stays. */
export function removeMember(json: Buffer, { nameStart, end }: MemberSpan): Buffer {
  const next = skipSpace(json, end);
  if (json[next] === COMMA) return Buffer.concat([json.subarray(0, nameStart), json.subarray(next + 1)]);
  let previous = nameStart - 1;
  while (previous > 0 && isSpace(json[previous])) previous -= 1;
  const from = json[previous] === COMMA ? previous : nameStart;
  return Buffer.concat([json.subarray(0, from), json.subarray(end)]);
}

/**
 * The text on one line. Line breaks outside strings mean nothing in JSON, and inside they are never raw; a reader of
 * lines would take them for the ends of messages.
 */
export function onOneLine(json: Buffer): Buffer {
  const line = Buffer.allocUnsafe(json.byteLength + 1);
  json.copy(line);
  for (let index = 0; index < json.byteLength; index += 1) {
    const byte = line[index];
    if (byte === 0x0a || byte === 0x0d) line[index] = 0x20;
  }
  line[json.byteLength] = 0x0a;
  return line;
}

function memberOf(json: Buffer, from: number, name: string): MemberSpan | undefined {
  let position = skipSpace(json, from);
  if (json[position] !== OPEN_BRACE) return undefined;
  position = skipSpace(json, position + 1);
  while (json[position] === QUOTE) {
    const nameStart = position;
    const nameEnd = endOfString(json, position);
    position = skipSpace(json, nameEnd);
    if (json[position] !== COLON) return undefined;
    const start = skipSpace(json, position + 1);
    const end = endOfValue(json, start);
    if (isName(json, nameStart, nameEnd, name)) return { nameStart, start, end };
    position = skipSpace(json, end);
    if (json[position] !== COMMA) return undefined;
    position = skipSpace(json, position + 1);
  }
  return undefined;
}

function isName(json: Buffer, start: number, end: number, name: string): boolean {
  if (end - start > MAX_NAME_BYTES) return false;
  try {
    return JSON.parse(json.toString('utf8', start, end)) === name;
  } catch {
    return false;
  }
}

function endOfValue(json: Buffer, start: number): number {
  let position = start;
  let depth = 0;
  while (position < json.byteLength) {
    const byte = json[position];
    if (byte === QUOTE) {
      position = endOfString(json, position);
      if (depth === 0) return position;
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 0) return position;
      depth -= 1;
      if (depth === 0) return position + 1;
    } else if (depth === 0 && (byte === COMMA || isSpace(byte))) return position;
    position += 1;
  }
  return position;
}

/** Right after the closing quote. */
function endOfString(json: Buffer, start: number): number {
  let position = start + 1;
  while (position < json.byteLength) {
    const byte = json[position];
    if (byte === QUOTE) return position + 1;
    position += byte === BACKSLASH ? 2 : 1;
  }
  return json.byteLength;
}

function skipSpace(json: Buffer, start: number): number {
  let position = start;
  while (position < json.byteLength && isSpace(json[position])) position += 1;
  return position;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}
