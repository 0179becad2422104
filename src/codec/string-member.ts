const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Longest member name or value that is decoded; anything longer is taken for absent. */
const MAX_STRING_CHARACTERS = 2048;

/**
 * Finds one string-valued member of the outermost object of a text that nobody has vouched for, in one pass, without
 * recursion and without building any of the rest (AAT-02 §8 step 2c and appendix B.5). The text need not be JSON and
 * the result is untrusted: with duplicate members it is the first. Undefined where there is no such string.
 */
export function findStringMember(text: string, name: string): string | undefined {
  let position = skipSpace(text, 0);
  if (text[position] !== '{') return undefined;
  let depth = 0;
  let expectName = false;
  while (position < text.length) {
    const character = text.charCodeAt(position);
    if (character === QUOTE) {
      const end = endOfString(text, position);
      if (end === undefined) return undefined;
      const isName = expectName && decodeString(text, position, end) === name;
      expectName = false;
      position = end + 1;
      if (isName) return stringAfterColon(text, position);
      continue;
    }
    if (character === 0x7b || character === 0x5b) {
      depth += 1;
      expectName = depth === 1;
    } else if (character === 0x7d || character === 0x5d) {
      depth -= 1;
      if (depth === 0) return undefined;
    } else if (character === 0x2c) {
      expectName = depth === 1;
    }
    position += 1;
  }
  return undefined;
}

function stringAfterColon(text: string, start: number): string | undefined {
  const colon = skipSpace(text, start);
  if (text[colon] !== ':') return undefined;
  const position = skipSpace(text, colon + 1);
  if (text.charCodeAt(position) !== QUOTE) return undefined;
  const end = endOfString(text, position);
  return end === undefined ? undefined : decodeString(text, position, end);
}

function skipSpace(text: string, start: number): number {
  let position = start;
  while (position < text.length && ' \t\r\n'.includes(text.charAt(position))) position += 1;
  return position;
}

function endOfString(text: string, start: number): number | undefined {
  let position = start + 1;
  while (position < text.length) {
    const character = text.charCodeAt(position);
    if (character === QUOTE) return position;
    position += character === BACKSLASH ? 2 : 1;
  }
  return undefined;
}

function decodeString(text: string, start: number, end: number): string | undefined {
  if (end - start > MAX_STRING_CHARACTERS) return undefined;
  try {
    const decoded: unknown = JSON.parse(text.slice(start, end + 1));
    return typeof decoded === 'string' ? decoded : undefined;
  } catch {
    return undefined;
  }
}
