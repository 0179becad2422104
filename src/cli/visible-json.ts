import type { JsonValue } from '../codec/index.ts';

/** What an eye passes over or takes for something else: control, format, private and unassigned characters, fillers, odd spaces. */
const UNSEEN = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u{2800}]/gu;

/**
 * A JSON value for somebody who is about to decide on it: all of it, indented, and every character that could not be seen as
 * a JSON escape, so that it stays the same JSON. A plain space stays one.
 */
export function visibleJson(value: JsonValue): string {
  return JSON.stringify(value, null, 2)
    .split('\n')
    .map((line) => line.replace(UNSEEN, (character) => (character === ' ' ? character : escaped(character))))
    .join('\n');
}

/** Whether every character of a text is seen for what it is. */
export function isVisible(text: string): boolean {
  return (text.match(UNSEEN) ?? []).every((character) => character === ' ');
}

function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('');
}
