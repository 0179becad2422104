import { canonicalize, type JsonValue } from '../../codec/index.ts';

/**
 * A JSON value under check, with what several clauses ask about it computed once: a tree of `n` constraints reads a
 * value of size `m` in O(n + m), not O(n·m).
 */
export class Candidate {
  readonly value: JsonValue;
  #key: string | null | undefined;
  #elementKeys: ReadonlySet<string> | null | undefined;

  constructor(value: JsonValue) {
    this.value = value;
  }

  /** The value's JCS text (RFC 8785), by which values are compared (AAT-02 §3.4); undefined if it has none. */
  get key(): string | undefined {
    if (this.#key === undefined) this.#key = keyOf(this.value);
    return this.#key ?? undefined;
  }

  /** The distinct JCS texts of an array's elements; undefined for any other value, or if an element has none. */
  get elementKeys(): ReadonlySet<string> | undefined {
    if (this.#elementKeys === undefined) this.#elementKeys = keysOfElements(this.value);
    return this.#elementKeys ?? undefined;
  }
}

export function isArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function keysOfElements(value: JsonValue): ReadonlySet<string> | null {
  if (!isArray(value)) return null;
  const keys = new Set<string>();
  for (const element of value) {
    const key = keyOf(element);
    if (key === null) return null;
    keys.add(key);
  }
  return keys;
}

/** JCS of a scalar is what ECMAScript's own serialization writes (RFC 8785 §3.2.2), at a fraction of the cost. */
function keyOf(value: JsonValue): string | null {
  if (typeof value === 'string') return value.isWellFormed() ? JSON.stringify(value) : null;
  if (typeof value === 'number') return Number.isFinite(value) ? JSON.stringify(value) : null;
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value === null) return 'null';
  try {
    return canonicalize(value);
  } catch {
    // No canonical form (a lone surrogate, or nesting beyond the stack): equal to nothing, so it satisfies nothing.
    return null;
  }
}
