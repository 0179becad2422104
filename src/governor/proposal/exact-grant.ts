import type { JsonObject, JsonValue } from '../../codec/index.ts';

/** Satisfied by nothing: with it a map that has no argument left to name stays closed (an empty one admits any). */
const NEVER: JsonObject = {
  constraint_type: 'all',
  constraints: [
    { constraint_type: 'exact', value: true },
    { constraint_type: 'exact', value: false },
  ],
  optional: true,
};

/** In a constraint map this name stands for all others. */
const ANY_OTHERS = '*';

/**
 * The constraint map that grants a tool with these arguments, all of them and no others.
 *
 * @returns undefined where there is none.
 */
export function exactGrant(args: JsonObject): JsonObject | undefined {
  const names = Object.keys(args);
  if (names.includes(ANY_OTHERS)) return undefined;
  if (names.length === 0) return { none: NEVER };
  return Object.fromEntries(names.map((name) => [name, exactly(args[name] ?? null)]));
}

function exactly(value: JsonValue): JsonObject {
  return typeof value === 'object' && value !== null
    ? { constraint_type: 'one_of', values: [value] }
    : { constraint_type: 'exact', value };
}
