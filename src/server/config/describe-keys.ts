import { z } from 'zod';
import { configSchema } from './config-schema.ts';

/** A key of the configuration file. */
export interface ConfigKey {
  /** Names from the top; `[]` stands for each item of a list. */
  readonly path: readonly string[];
  readonly description: string;
  readonly type: string;
  readonly required: boolean;
  /** As JSON; undefined where leaving it out means something that no value says. */
  readonly default: string | undefined;
  /** Has keys of its own. */
  readonly section: boolean;
}

interface Unwrapped {
  readonly schema: z.core.$ZodType;
  readonly optional: boolean;
  readonly default: unknown;
}

/** Every key there is, in the order of the schema. */
export function configKeys(): readonly ConfigKey[] {
  return [...keysOf(configSchema, [])];
}

function* keysOf(schema: z.core.$ZodType, at: readonly string[]): Generator<ConfigKey> {
  const inner = unwrap(schema).schema;
  if (inner instanceof z.ZodArray) {
    yield* keysOf(inner.element, [...at, '[]']);
    return;
  }
  if (!(inner instanceof z.ZodObject)) return;
  for (const [name, member] of Object.entries<z.core.$ZodType>(inner.shape)) {
    const path = [...at, name];
    const { schema: own, optional, default: fallback } = unwrap(member);
    const section = own instanceof z.ZodObject;
    yield {
      path,
      description: (member instanceof z.ZodType ? member.description : undefined) ?? '',
      type: typeOf(own),
      required: !optional && fallback === undefined,
      default: fallback === undefined || section ? undefined : JSON.stringify(fallback),
      section,
    };
    yield* keysOf(member, path);
  }
}

function unwrap(schema: z.core.$ZodType): Unwrapped {
  let optional = false;
  let fallback: unknown;
  let inner = schema;
  while (true) {
    if (inner instanceof z.ZodOptional) {
      optional = true;
      inner = inner.def.innerType;
    } else if (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) {
      fallback = inner.def.defaultValue;
      inner = inner.def.innerType;
    } else return { schema: inner, optional, default: fallback };
  }
}

/** In the words of the documentation; environment variables are read by it, too. */
function typeOf(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodObject) return 'section';
  if (schema instanceof z.ZodArray) return 'list';
  if (schema instanceof z.ZodBoolean) return 'true or false';
  if (schema instanceof z.ZodEnum) return schema.options.join(', ');
  if (schema instanceof z.ZodUnion) return 'secret';
  if (schema instanceof z.ZodNumber) return `whole number, ${schema.minValue} to ${schema.maxValue}`;
  if (schema instanceof z.ZodString || schema instanceof z.ZodURL) return 'text';
  return 'object';
}

/** The environment variable that overrides a key; undefined inside lists, which a variable replaces as a whole. */
export function variableOf({ path }: ConfigKey): string | undefined {
  if (path.length < 2 || path.includes('[]')) return undefined;
  return `WRIT_${path.map(upperSnake).join('__')}`;
}

function upperSnake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
