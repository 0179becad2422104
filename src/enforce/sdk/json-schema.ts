import { isJsonObject, type JsonObject, parseJson } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';

const MAX_DEPTH = 40;

/**
 * The JSON Schema of a tool's arguments, wherever a framework keeps it: JSON Schema itself, a Standard JSON Schema
 * (zod 4.2 and later, and others), or the AI SDK's `Schema`. Throws `TypeError` where there is none: arguments that nobody
 * describes cannot be granted by name.
 */
export function jsonSchemaOf(schema: unknown, tool: string): JsonObject {
  const text = textOf(schema);
  const parsed =
    text === undefined ? undefined : parseJson(text, 'request.malformed', { maxDepth: MAX_DEPTH });
  if (parsed === undefined || isDenial(parsed) || !isJsonObject(parsed)) {
    throw new TypeError(`${tool}: its arguments have no JSON Schema that can be read; give inputSchema`);
  }
  if (parsed.type !== undefined && parsed.type !== 'object') {
    throw new TypeError(`${tool}: its arguments are no object; give inputSchema`);
  }
  return parsed;
}

function textOf(schema: unknown): string | undefined {
  try {
    const found = findSchema(schema);
    return found === undefined ? undefined : JSON.stringify(found);
  } catch {
    // A schema with parts that JSON Schema cannot say.
    return undefined;
  }
}

function findSchema(schema: unknown): unknown {
  // The AI SDK lets schemas be made on first use.
  if (typeof schema === 'function' && !('~standard' in schema)) return findSchema(schema());
  if ((typeof schema !== 'object' && typeof schema !== 'function') || schema === null) return undefined;
  if ('jsonSchema' in schema) return isPlain(schema.jsonSchema) ? schema.jsonSchema : undefined;
  if ('~standard' in schema) return standardJsonSchema(schema['~standard']);
  return isPlain(schema) ? schema : undefined;
}

/** https://standardschema.dev/json-schema */
function standardJsonSchema(standard: unknown): unknown {
  if (typeof standard !== 'object' || standard === null || !('jsonSchema' in standard)) return undefined;
  const { jsonSchema } = standard;
  if (typeof jsonSchema !== 'object' || jsonSchema === null || !('input' in jsonSchema)) return undefined;
  const { input } = jsonSchema;
  return typeof input === 'function' ? input.call(jsonSchema, { target: 'draft-2020-12' }) : undefined;
}

function isPlain(value: unknown): boolean {
  return isJsonObject(value);
}
