import { isJsonObject, type JsonObject, type JsonValue } from '../../src/codec/index.ts';
import type { Random } from './random.ts';

// A million inputs a parser need a generator that costs no more than the parser: edits of valid samples, by hand.

const SPICE = [
  ...[
    '\n',
    '\r',
    '\0',
    ' ',
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '.',
    '/',
    '../',
    '=',
    '+',
    '-',
    '_',
    '~',
    '%',
  ],
  ...[
    '\u2014 ',
    '\u2028',
    '\u202e',
    '\ufeff',
    'é',
    '\ud800',
    '\udfff',
    '__proto__',
    'constructor',
    '\\u0000',
    '\\ud800',
  ],
  ...['0', '-0', '-1', '1e400', '1E3', '1.0', '9007199254740993', '0.1', 'null', 'true', '*', 'A', 'x'],
];

const VALUES: readonly JsonValue[] = [
  ...[null, true, false, 0, -0, -1, 1, 1.5, 1e300, 2 ** 53, Number.MAX_SAFE_INTEGER, '', 'x', '*', '/', '..'],
  ...[
    '__proto__',
    '\ud800',
    '\0',
    'é',
    `sha256:${'0'.repeat(64)}`,
    'a'.repeat(300),
    [],
    {},
    [[]],
    [{}],
    [null],
  ],
  ...[{ constructor: 1 }, { toString: null }, { constraint_type: 'wildcard' }, ['a', 'a'], [0, -0]],
];

/** One to four edits: characters replaced, cut, doubled, spiced, or a piece of another sample spliced in. */
export function mutateText(random: Random, sample: string, other = sample): string {
  let text = sample;
  for (let edits = random.between(1, 4); edits > 0; edits -= 1) {
    const at = random.between(0, text.length);
    const end = Math.min(text.length, at + random.between(1, 12));
    switch (random.between(0, 6)) {
      case 0:
        text = text.slice(0, at) + pickFrom(random, SPICE) + text.slice(at + 1);
        break;
      case 1:
        text = text.slice(0, at) + pickFrom(random, SPICE) + text.slice(at);
        break;
      case 2:
        text = text.slice(0, at) + text.slice(end);
        break;
      case 3:
        text = text.slice(0, end) + text.slice(at);
        break;
      case 4: {
        const from = random.between(0, other.length);
        text = text.slice(0, at) + other.slice(from, from + random.between(1, 40)) + text.slice(at);
        break;
      }
      case 5:
        text = text.slice(0, at) + String.fromCharCode(random.between(0, 255)) + text.slice(at + 1);
        break;
      default:
        if (random.chance(0.2)) text = text.slice(0, at);
    }
  }
  return text;
}

/** Nothing but spice: what no sample looks like. */
export function soup(random: Random): string {
  let text = '';
  for (let count = random.between(0, 24); count > 0; count -= 1) text += pickFrom(random, SPICE);
  return text;
}

/** One to four edits of bytes: flipped, replaced, cut out, doubled, cut off. */
export function mutateBytes(random: Random, sample: Uint8Array): Uint8Array {
  let bytes = Buffer.from(sample);
  for (let edits = random.between(1, 4); edits > 0 && bytes.length > 0; edits -= 1) {
    const at = random.between(0, bytes.length - 1);
    const end = at + random.between(1, 8);
    const kind = random.between(0, 9);
    if (kind < 4) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
    else if (kind < 7) bytes[at] = random.between(0, 255);
    else if (kind < 8) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
    else if (kind < 9) bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    else if (random.chance(0.3)) bytes = bytes.subarray(0, at);
  }
  return bytes;
}

/** A value like the sample with one to three of its parts replaced, removed, renamed, added or exchanged. */
export function mutateJson(random: Random, sample: JsonValue, other: JsonValue = sample): JsonValue {
  let value = sample;
  for (let edits = random.between(1, 3); edits > 0; edits -= 1) value = editOnce(random, value, other);
  return value;
}

function editOnce(random: Random, value: JsonValue, other: JsonValue): JsonValue {
  const composite = typeof value === 'object' && value !== null;
  // Walks down towards the leaves, where most parts are.
  if (!composite || random.chance(0.15))
    return random.chance(0.5) ? pickFrom(random, VALUES) : partOf(random, other);
  if (!isJsonObject(value)) {
    const items = [...(value as readonly JsonValue[])];
    const at = random.between(0, items.length);
    if (random.chance(0.3)) items.splice(at, random.between(0, 2), pickFrom(random, VALUES));
    else if (at < items.length) items[at] = editOnce(random, items[at] ?? null, other);
    return items;
  }
  return editObject(random, value, other);
}

function editObject(random: Random, value: JsonObject, other: JsonValue): JsonObject {
  const entries = Object.entries(value);
  const at = random.between(0, Math.max(0, entries.length - 1));
  const entry = entries[at];
  const kind = random.fraction();
  if (entry === undefined || kind < 0.1) entries.push([pickFrom(random, SPICE), pickFrom(random, VALUES)]);
  else if (kind < 0.2) entries.splice(at, 1);
  else if (kind < 0.25) entry[0] = pickFrom(random, SPICE);
  else entry[1] = editOnce(random, entry[1], other);
  return Object.fromEntries(entries);
}

function partOf(random: Random, value: JsonValue): JsonValue {
  let part = value;
  while (typeof part === 'object' && part !== null && random.chance(0.7)) {
    const members = Object.values(part);
    if (members.length === 0) return part;
    part = pickFrom(random, members);
  }
  return part;
}

/** @throws TypeError for an empty list. */
export function pickFrom<T>(random: Random, list: readonly T[]): T {
  const value = list[random.between(0, list.length - 1)];
  if (value === undefined) throw new TypeError('nothing to pick from');
  return value;
}
