const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

/** Longest accepted note with its signatures. Sixteen post-quantum signatures need about 80 KiB. */
export const MAX_NOTE_BYTES = 512 * 1024;

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters signed-note forbids.
const FORBIDDEN = /[\u0000-\u0009\u000b-\u001f]/;

/** Unicode White_Space, which is what Go's reference implementation refuses as "Unicode spaces". */
const SPACE = /\p{White_Space}/u;

/** Well-formed Unicode without ASCII control characters other than newline (signed-note, "Format"). */
export function isNoteText(text: string): boolean {
  return text.isWellFormed() && !FORBIDDEN.test(text);
}

/** Non-empty, without Unicode spaces or plus (signed-note, "Format"). */
export function isKeyName(name: string): boolean {
  return name !== '' && isNoteText(name) && !name.includes('+') && !SPACE.test(name);
}

export function encodeUtf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** The text of a bounded UTF-8 document, or undefined when it is too long or not UTF-8. */
export function decodeUtf8(input: string | Uint8Array, maxBytes: number): string | undefined {
  if (typeof input === 'string') {
    // A UTF-16 unit is at least one byte of UTF-8: the first test spares encoding a huge text.
    if (input.length > maxBytes || !input.isWellFormed()) return undefined;
    return encodeUtf8(input).byteLength <= maxBytes ? input : undefined;
  }
  if (input.byteLength > maxBytes) return undefined;
  try {
    return utf8Decoder.decode(input);
  } catch {
    return undefined;
  }
}
