import { createColors } from 'picocolors';

export type Tone = 'plain' | 'good' | 'bad' | 'warn' | 'faint' | 'strong';

/** Text with a tone. Text alone is plain. */
export type Part = string | { readonly text: string; readonly tone: Tone };

export function good(text: string): Part {
  return { text, tone: 'good' };
}
export function bad(text: string): Part {
  return { text, tone: 'bad' };
}
export function warn(text: string): Part {
  return { text, tone: 'warn' };
}
export function faint(text: string): Part {
  return { text, tone: 'faint' };
}
export function strong(text: string): Part {
  return { text, tone: 'strong' };
}

const MAX_PART_CHARACTERS = 4096;
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Text as it may stand on a terminal: tokens, logs and servers choose much of what is shown, and control or format
 * characters in it could rewrite the screen or reorder what is read. They are shown as escapes.
 */
export function printable(text: string): string {
  const bounded = text.length <= MAX_PART_CHARACTERS ? text : `${text.slice(0, MAX_PART_CHARACTERS - 1)}…`;
  return bounded.replace(INVISIBLE, escapeCharacter);
}

/** JSON text without characters that a terminal would act on; it stays the same JSON. */
export function printableJson(json: string): string {
  return json.replace(INVISIBLE, (character) =>
    Array.from({ length: character.length }, (_, index) => {
      return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
    }).join(''),
  );
}

function escapeCharacter(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** Makes parts printable and, where colours are on, paints them. */
export function painter(coloured: boolean): (part: Part) => string {
  const colours = createColors(coloured);
  const paint: Readonly<Record<Tone, (text: string) => string>> = {
    plain: (text) => text,
    good: colours.green,
    bad: colours.red,
    warn: colours.yellow,
    faint: colours.dim,
    strong: colours.bold,
  };
  return (part) => (typeof part === 'string' ? printable(part) : paint[part.tone](printable(part.text)));
}
