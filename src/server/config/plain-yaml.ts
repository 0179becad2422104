import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { JsonValue } from '../../codec/index.ts';

/** Where something stands in a file, both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface PlainYaml {
  readonly value: JsonValue;
  /** Of the value at a path of members and indexes, or of the nearest one around it. */
  readonly placeOf: (at: readonly string[]) => Partial<Place>;
}

export interface YamlProblem extends Place {
  /** Quotes nothing of the file but key names. */
  readonly reason: string;
}

/**
 * Reads YAML 1.2 that says nothing but what stands there: no anchors, aliases, tags or merge keys, each key once and a
 * string. An empty file is an empty object.
 */
export function readPlainYaml(text: string, maxDepth: number): PlainYaml | YamlProblem {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  try {
    const document = parseDocument(text, {
      ...{ version: '1.2', schema: 'core', strict: true, uniqueKeys: true, merge: false, logLevel: 'error' },
      lineCounter: lines,
    });
    const [fault] = [...document.errors, ...document.warnings];
    if (fault !== undefined) {
      // The rest of the message quotes the file.
      const reason = fault.message.split(/ at line \d|\n/)[0] ?? 'not YAML';
      return { ...placeAt(fault.pos[0]), reason };
    }
    const places = new Map<string, Place>();
    const flaw: { found?: YamlProblem } = {};
    const refuse = (node: Node, reason: string): null => {
      flaw.found ??= { ...placeAt(node.range?.[0] ?? 0), reason };
      return null;
    };
    const read = (node: unknown, at: readonly string[]): JsonValue => {
      if (isAlias(node)) return refuse(node, 'an alias: write the value out, and "*" in quotes');
      if (!isMap(node) && !isSeq(node) && !isScalar(node)) return null;
      if (node.anchor !== undefined || node.tag !== undefined) {
        return refuse(node, 'anchors and tags are not used here');
      }
      if (at.length > maxDepth) return refuse(node, 'nested too deep');
      if (!places.has(keyOf(at))) places.set(keyOf(at), placeAt(node.range?.[0] ?? 0));
      if (isSeq(node)) return node.items.map((item, index) => read(item, [...at, String(index)]));
      if (isScalar(node)) return isPlain(node.value) ? node.value : refuse(node, 'not a value of JSON');
      const members: [string, JsonValue][] = node.items.map(({ key, value }) => {
        if (!isScalar(key) || typeof key.value !== 'string' || key.anchor !== undefined) {
          refuse(isScalar(key) || isAlias(key) ? key : node, 'a key is not a plain string: put it in quotes');
          return ['', null];
        }
        const inside = [...at, key.value];
        places.set(keyOf(inside), placeAt(key.range?.[0] ?? 0));
        return [key.value, read(value, inside)];
      });
      return Object.fromEntries(members);
    };
    const value = document.contents === null ? {} : read(document.contents, []);
    return flaw.found ?? { value, placeOf: (at) => nearestPlace(places, at) };
  } catch {
    return { line: 1, column: 1, reason: 'not YAML, or nested too deep' };
  }
}

function isPlain(value: unknown): value is string | number | boolean | null {
  return value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value);
}

function keyOf(at: readonly string[]): string {
  return at.join('\u0000');
}

function nearestPlace(places: ReadonlyMap<string, Place>, at: readonly string[]): Partial<Place> {
  for (let length = at.length; length >= 0; length -= 1) {
    const place = places.get(keyOf(at.slice(0, length)));
    if (place !== undefined) return place;
  }
  return {};
}
