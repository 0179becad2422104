/** Shorter texts are harmless however they are built. */
export const PROPORTION_EXEMPT_BYTES = 256 * 1024;
const MAX_VALUES = 2_000_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Whether a JSON text would take far more memory parsed than it has bytes: a megabyte of `[` takes fifty, before any
 * parser could say how deep it is. Looks at the bytes up to where they stop being JSON, in linear time.
 */
export function isOutOfProportion(text: Uint8Array, maxDepth: number): boolean {
  if (text.byteLength <= PROPORTION_EXEMPT_BYTES) return false;
  let depth = 0;
  let values = 0;
  for (let position = 0; position < text.byteLength; position += 1) {
    switch (text[position]) {
      case QUOTE:
        position = endOfString(text, position);
        break;
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        depth += 1;
        values += 1;
        break;
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        depth -= 1;
        break;
      case COMMA:
        values += 1;
    }
    if (depth > maxDepth || values > MAX_VALUES) return true;
  }
  return false;
}

/** Where the closing quote is; the end of the text where there is none. */
function endOfString(text: Uint8Array, start: number): number {
  for (let quote = text.indexOf(QUOTE, start + 1); quote !== -1; quote = text.indexOf(QUOTE, quote + 1)) {
    let before = quote - 1;
    while (text[before] === BACKSLASH) before -= 1;
    const escaped = (quote - 1 - before) % 2 === 1;
    if (!escaped) return quote;
  }
  return text.byteLength;
}
