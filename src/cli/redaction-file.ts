import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { JsonValue } from '../codec/index.ts';
import type { PolicyProblem, RedactionSource } from '../policy/index.ts';

/** Names of the file in a policy folder that says what receipts show. JSON is YAML, too. */
export const REDACTION_FILES: readonly string[] = ['redaction.yaml', 'redaction.yml', 'redaction.json'];

const MAX_DEPTH = 8;

interface Place {
  readonly line: number;
  readonly column: number;
}

/**
 * Reads YAML 1.2 that says nothing but what stands there: no anchors, aliases, tags or merge keys, each key once and a
 * string. What the rules mean is not looked at.
 */
export function readRedactionFile(path: string, text: string): RedactionSource | PolicyProblem {
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
      return { path, ...placeAt(fault.pos[0]), reason };
    }
    const places = new Map<string, Place>();
    const flaw: { found?: PolicyProblem } = {};
    const refuse = (node: Node, reason: string): null => {
      flaw.found ??= { path, ...placeAt(node.range?.[0] ?? 0), reason };
      return null;
    };
    const read = (node: unknown, at: readonly string[]): JsonValue => {
      if (isAlias(node)) return refuse(node, 'an alias: write the value out, and "*" in quotes');
      if (!isMap(node) && !isSeq(node) && !isScalar(node)) return null;
      if (node.anchor !== undefined || node.tag !== undefined) {
        return refuse(node, 'anchors and tags are not used here');
      }
      if (at.length > MAX_DEPTH) return refuse(node, 'nested too deep');
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
    const rules = document.contents === null ? {} : read(document.contents, []);
    return flaw.found ?? { path, rules, placeOf: (at) => nearestPlace(places, at) };
  } catch {
    return { path, line: 1, column: 1, reason: 'not YAML, or nested too deep' };
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
