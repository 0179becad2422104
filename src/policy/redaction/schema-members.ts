import { isJsonObject, type JsonValue } from '../../codec/index.ts';
import { ANY, type Pointer } from './pointer.ts';

/** A member that a schema does not declare, and those it declares in that place. */
export interface UnknownMember {
  readonly name: string;
  readonly known: readonly string[];
}

/** Keywords under which a value may have more shapes than `properties` and `items` say. */
const OPEN = ['$ref', 'allOf', 'anyOf', 'oneOf', 'if', 'patternProperties', '$dynamicRef'];

/** The first segment of a pointer that a JSON Schema does not foresee; undefined where it does, or says too little. */
export function findUnknownMember(
  schema: JsonValue | undefined,
  pointer: Pointer,
): UnknownMember | undefined {
  let here = schema;
  for (const segment of pointer) {
    if (!isJsonObject(here) || OPEN.some((keyword) => Object.hasOwn(here as object, keyword)))
      return undefined;
    const { properties, items, additionalProperties } = here;
    if (isJsonObject(properties)) {
      if (segment === ANY) return undefined;
      if (Object.hasOwn(properties, segment)) {
        here = properties[segment];
        continue;
      }
      if (additionalProperties === true || isJsonObject(additionalProperties)) return undefined;
      return { name: segment, known: Object.keys(properties) };
    }
    if (!isJsonObject(items)) return undefined;
    here = items;
  }
  return undefined;
}
