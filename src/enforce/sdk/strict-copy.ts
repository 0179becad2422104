import { types } from 'node:util';
import type { JsonValue } from '../../codec/index.ts';
import { type Denial, deny, type ReasonCode } from '../../denial/index.ts';

/** Bounds of a copy. */
export interface CopyLimits {
  readonly maxDepth: number;
  /** Values of every kind, the containers included. */
  readonly maxValues: number;
  /** Characters of all strings and member names together. */
  readonly maxCharacters: number;
}

export const ARGUMENT_LIMITS: CopyLimits = { maxDepth: 64, maxValues: 100_000, maxCharacters: 1_500_000 };

/** What is wrong with a value. The text names kinds of value, never a member or what it holds. */
class NotJson extends Error {}

/** What is over the bounds. */
class TooLarge extends Error {}

/**
 * A deep, frozen copy of a value that is JSON through and through, or a denial.
 *
 * INVARIANT: each property is read once, from its descriptor, so no code of the value's own runs (getters, `toJSON`,
 * proxies are refused): what is copied is what is decided on, and what then runs. Objects of the copy have no prototype:
 * an argument that was not given is not found on a polluted `Object.prototype` either.
 *
 * @param code of the denial where the value is not JSON; `request.too_large` where it is over the bounds.
 */
export function copyJson(
  value: unknown,
  code: ReasonCode,
  limits: CopyLimits = ARGUMENT_LIMITS,
): JsonValue | Denial {
  try {
    return new Copier(limits).copy(value, 0);
  } catch (error) {
    if (error instanceof TooLarge) return deny('request.too_large', error.message);
    return deny(code, error instanceof NotJson ? error.message : 'a value cannot be read');
  }
}

class Copier {
  readonly #limits: CopyLimits;
  #values = 0;
  #characters = 0;

  constructor(limits: CopyLimits) {
    this.#limits = limits;
  }

  copy(value: unknown, depth: number): JsonValue {
    this.#values += 1;
    if (this.#values > this.#limits.maxValues) throw new TooLarge('too many values');
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'boolean':
        return value;
      case 'number':
        if (!Number.isFinite(value)) throw new NotJson('a number is not finite');
        // JSON's canonical form has one zero.
        return value === 0 ? 0 : value;
      case 'object':
        return value === null ? null : this.#container(value, depth);
      default:
        throw new NotJson(`a value is of type ${typeof value}`);
    }
  }

  #text(text: string): string {
    this.#characters += text.length;
    if (this.#characters > this.#limits.maxCharacters) throw new TooLarge('too much text');
    if (!text.isWellFormed()) throw new NotJson('a string has a lone surrogate');
    return text;
  }

  #container(value: object, depth: number): JsonValue {
    if (depth >= this.#limits.maxDepth) throw new TooLarge(`nested deeper than ${this.#limits.maxDepth}`);
    // Each look at a proxy may show something else; not even its prototype can be asked for twice.
    if (types.isProxy(value)) throw new NotJson('an object is a proxy');
    const prototype: unknown = Object.getPrototypeOf(value);
    if (Array.isArray(value)) {
      if (prototype !== Array.prototype) throw new NotJson('an array is of a class of its own');
      return this.#array(value, depth);
    }
    if (prototype !== Object.prototype && prototype !== null) throw new NotJson('an object is of a class');
    return this.#object(value, depth);
  }

  #array(value: readonly unknown[], depth: number): JsonValue {
    const { length } = value;
    if (length > this.#limits.maxValues) throw new TooLarge('too many values');
    if (Reflect.ownKeys(value).length !== length + 1) {
      throw new NotJson('an array has holes, or members that are no items');
    }
    const items: JsonValue[] = [];
    for (let index = 0; index < length; index += 1) {
      define(items, String(index), this.copy(dataOf(value, String(index)), depth + 1));
    }
    return Object.freeze(items);
  }

  #object(value: object, depth: number): JsonValue {
    const copy: { [member: string]: JsonValue } = Object.create(null);
    for (const name of Reflect.ownKeys(value)) {
      if (typeof name === 'symbol') throw new NotJson('a member is named by a symbol');
      if (name === '__proto__') throw new NotJson('a member is named __proto__');
      define(copy, this.#text(name), this.copy(dataOf(value, name), depth + 1));
    }
    return Object.freeze(copy);
  }
}

/** The value of an own, enumerable data property: accessors are not called. */
function dataOf(value: object, name: string): unknown {
  const descriptor = Object.getOwnPropertyDescriptor(value, name);
  if (descriptor === undefined) throw new NotJson('an array has holes');
  if (!Object.hasOwn(descriptor, 'value')) throw new NotJson('a member is computed when it is read');
  if (descriptor.enumerable !== true) throw new NotJson('a member is hidden');
  return descriptor.value;
}

/** Assignment could end in a setter that somebody put on a prototype. */
function define(target: object, name: string, value: JsonValue): void {
  const descriptor: PropertyDescriptor = Object.create(null);
  descriptor.value = value;
  descriptor.enumerable = true;
  descriptor.configurable = true;
  descriptor.writable = true;
  Object.defineProperty(target, name, descriptor);
}
