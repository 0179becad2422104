import { isJsonObject, type JsonObject, type JsonValue } from '../../codec/index.ts';
import { ANY, formatPointer, type Pointer } from './pointer.ts';

/** What stands where a secret member was. */
export const REDACTED = '[redacted]';

export interface WithoutSecrets {
  /** A copy without what is secret; the very arguments where there is none in them. */
  readonly args: JsonObject;
  /** Pointers of rules that found something, sorted. */
  readonly redacted: readonly string[];
}

/**
 * Takes what redaction rules call secret out of arguments.
 *
 * INVARIANT: fails closed. Where a pointer leads through something that has no such members (text where a mapping was
 * expected, a list where there should be a member), all of that is taken out: the secret may be somewhere in it.
 */
export function withoutSecrets(args: JsonObject, secret: readonly Pointer[]): WithoutSecrets {
  let redactedArgs = args;
  const redacted: string[] = [];
  for (const pointer of secret) {
    const next = without(redactedArgs, pointer, 0);
    if (next === redactedArgs) continue;
    redacted.push(formatPointer(pointer));
    redactedArgs = isJsonObject(next) ? next : {};
  }
  return { args: redactedArgs, redacted: redacted.sort() };
}

function without(value: JsonValue, pointer: Pointer, depth: number): JsonValue {
  const segment = pointer[depth];
  if (segment === undefined) return REDACTED;
  if (value === null) return value;
  if (Array.isArray(value)) {
    const items: readonly JsonValue[] = value;
    if (items.length === 0) return value;
    if (segment !== ANY && !/^(?:0|[1-9]\d*)$/.test(segment)) return REDACTED;
    return replaced(items, (item, index) =>
      segment === ANY || Number(segment) === index ? without(item, pointer, depth + 1) : item,
    );
  }
  if (!isJsonObject(value)) return REDACTED;
  let changed = false;
  const members = Object.entries(value).map(([name, member]): [string, JsonValue] => {
    // Names are compared as a server that ignores case would read them.
    const meant = segment === ANY || name.toLowerCase() === segment.toLowerCase();
    const next = meant ? without(member, pointer, depth + 1) : member;
    changed ||= next !== member;
    return [name, next];
  });
  return changed ? Object.fromEntries(members) : value;
}

function replaced(
  items: readonly JsonValue[],
  replace: (item: JsonValue, index: number) => JsonValue,
): readonly JsonValue[] {
  const next = items.map(replace);
  return next.some((item, index) => item !== items[index]) ? next : items;
}
