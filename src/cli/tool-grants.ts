import { isJsonObject, type JsonObject, type JsonValue } from '../codec/index.ts';

/** Constraint maps by tool identifier, as AAT-02 §3.3 has them. */
export type ToolGrants = { readonly [tool: string]: JsonObject };

export interface ClosedArguments {
  readonly map: JsonObject;
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

/**
 * The constraint map that grants a tool with exactly the arguments its schema names, any values. A schema that names
 * none leaves the map empty, which AAT-02 reads as any arguments: a closed map cannot be empty.
 */
export function closedArguments(definition: JsonObject): ClosedArguments {
  const schema = definition.inputSchema;
  const properties = isJsonObject(schema) && isJsonObject(schema.properties) ? schema.properties : {};
  const requiredList = isJsonObject(schema) && Array.isArray(schema.required) ? schema.required : [];
  const required = new Set<JsonValue>(requiredList);
  // The one name that is no argument in a constraint map.
  const names = Object.keys(properties).filter((name) => name !== '*');
  const map: Record<string, JsonObject> = {};
  for (const name of names) {
    map[name] = required.has(name)
      ? { constraint_type: 'wildcard' }
      : { constraint_type: 'wildcard', optional: true };
  }
  return {
    map,
    required: names.filter((name) => required.has(name)),
    optional: names.filter((name) => !required.has(name)),
  };
}

/** One line on the arguments a constraint map admits: `path, head?: range`. */
export function describeArguments(map: JsonObject): string {
  const entries = Object.entries(map);
  if (entries.length === 0) return 'any arguments';
  return entries
    .map(([name, entry]) => {
      const constraint = isJsonObject(entry) ? entry : {};
      const { constraint_type: type, optional: _, ...members } = constraint;
      const mark = constraint.optional === true ? '?' : '';
      if (name === '*') return 'any others';
      if (type === 'wildcard') return `${name}${mark}`;
      return `${name}${mark}: ${String(type)} ${JSON.stringify(members)}`;
    })
    .join(', ');
}
