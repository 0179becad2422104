import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs';
import { isJsonObject, type JsonObject, type JsonValue } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import type { InputType, RecordInputType } from './input-type.ts';

export interface CedarInput {
  /** `context.input`. */
  readonly input: Record<string, CedarValueJson>;
  /** `context.unrepresented`: names of the arguments that policies cannot see, or not in full. */
  readonly unrepresented: string[];
}

/** Most values (scalars, arrays and objects) that one call's arguments may hold. */
const MAX_INPUT_NODES = 20_000;

/** The value is absent to policies (`null` where the schema allows it). */
const ABSENT = Symbol('absent');
/** The value is not of its declared type. */
const MISMATCH = Symbol('mismatch');
/** The value is of its declared type, but Cedar has no exact form of it. */
const INEXACT = Symbol('inexact');

type Converted = CedarValueJson | typeof ABSENT | typeof MISMATCH | typeof INEXACT;

interface Walk {
  nodes: number;
  /** Part of the current argument is invisible to policies. */
  partial: boolean;
}

/**
 * Converts a call's arguments to the declared Cedar types, value by value: this is the request validation of the context,
 * so Cedar needs no schema per call. Nothing is coerced; only what the type asks for is read, so no argument can become
 * an entity or an extension call.
 *
 * @param named argument names that some policy reads. A number that a Cedar decimal cannot hold exactly denies when a
 *   policy reads the argument, and is left out (and listed) when none does.
 * @returns `policy.evaluation_failed` that names the argument, never its value.
 */
export function toCedarInput(
  type: RecordInputType,
  args: JsonObject,
  named: ReadonlySet<string>,
): CedarInput | Denial {
  const input: Record<string, CedarValueJson> = {};
  const unrepresented: string[] = [];
  const walk: Walk = { nodes: 0, partial: false };

  for (const [name, member] of type.members) {
    const value = Object.hasOwn(args, name) ? args[name] : undefined;
    if (value === undefined) {
      if (member.required) return failed(name, 'is missing');
      continue;
    }
    walk.partial = false;
    const converted = value === null && member.nullable ? ABSENT : convert(member.type, value, walk);
    if (converted === MISMATCH) return failed(name, `is not a ${member.type.kind} policies can read`);
    if (converted === INEXACT && named.has(name)) return failed(name, 'has no exact decimal of 4 places');
    if (converted === INEXACT || converted === ABSENT) unrepresented.push(name);
    else {
      input[name] = converted;
      if (walk.partial) unrepresented.push(name);
    }
  }
  for (const name of Object.keys(args)) {
    if (type.members.has(name)) continue;
    if (!name.isWellFormed()) return deny('policy.evaluation_failed', 'an argument name is not well-formed');
    unrepresented.push(name);
    if (unrepresented.length > MAX_INPUT_NODES) return failed(name, 'is one too many');
  }
  return { input, unrepresented };
}

function convert(type: InputType, value: JsonValue, walk: Walk): Converted {
  walk.nodes += 1;
  if (walk.nodes > MAX_INPUT_NODES) return MISMATCH;
  switch (type.kind) {
    case 'string':
      return typeof value === 'string' && value.isWellFormed() ? value : MISMATCH;
    case 'boolean':
      return typeof value === 'boolean' ? value : MISMATCH;
    case 'long':
      // Above 2^53 a number doesn't reach Cedar as the integer it is. `+ 0` turns -0 into 0.
      return typeof value === 'number' && Number.isSafeInteger(value) ? value + 0 : MISMATCH;
    case 'decimal':
      return typeof value === 'number' && Number.isFinite(value) ? toDecimal(value) : MISMATCH;
    case 'set':
      return convertSet(type.element, value, walk);
    case 'record':
      return convertRecord(type, value, walk);
  }
}

function convertSet(element: InputType, value: JsonValue, walk: Walk): Converted {
  if (!Array.isArray(value)) return MISMATCH;
  const elements: CedarValueJson[] = [];
  for (const item of value as readonly JsonValue[]) {
    const converted = convert(element, item, walk);
    if (typeof converted === 'symbol') return converted;
    elements.push(converted);
  }
  return elements;
}

function convertRecord(type: RecordInputType, value: JsonValue, walk: Walk): Converted {
  if (!isJsonObject(value)) return MISMATCH;
  const record: Record<string, CedarValueJson> = {};
  let seen = 0;
  for (const [name, member] of type.members) {
    const item = Object.hasOwn(value, name) ? value[name] : undefined;
    if (item === undefined) {
      if (member.required) return MISMATCH;
      continue;
    }
    seen += 1;
    if (item === null && member.nullable) {
      walk.partial = true;
      continue;
    }
    const converted = convert(member.type, item, walk);
    if (typeof converted === 'symbol') return converted;
    record[name] = converted;
  }
  if (Object.keys(value).length > seen) walk.partial = true;
  return record;
}

const DECIMAL_TEXT = /^-?\d{1,15}(\.\d{1,4})?$/;
/** A Cedar decimal is a 64-bit integer count of ten-thousandths. */
const MAX_DECIMAL = 922_337_203_685_477;

function toDecimal(value: number): Converted {
  const text = String(value + 0);
  if (!DECIMAL_TEXT.test(text) || Math.abs(value) > MAX_DECIMAL) return INEXACT;
  return { __extn: { fn: 'decimal', arg: text.includes('.') ? text : `${text}.0` } };
}

function failed(argument: string, problem: string): Denial {
  return deny('policy.evaluation_failed', `argument ${JSON.stringify(argument.slice(0, 128))} ${problem}`);
}
