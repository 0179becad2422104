import serialize from 'canonicalize';
import type { JsonValue } from './json.ts';

/**
 * The JSON Canonicalization Scheme (RFC 8785). Throws `TypeError` on what is not JSON (undefined, functions, NaN, lone
 * surrogates): callers canonicalize only parsed or self-made values.
 */
export function canonicalize(value: JsonValue): string {
  const text = serialize(value);
  if (text === undefined) throw new TypeError('value has no JSON form');
  return text;
}

/** Equality of JSON values by their canonical form (AAT-02 §3.4). */
export function jsonEquals(left: JsonValue, right: JsonValue): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object') return false;
  return canonicalize(left) === canonicalize(right);
}
