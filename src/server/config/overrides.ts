import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import type { ConfigProblem } from './config-problem.ts';
import { type ConfigKey, configKeys, variableOf } from './describe-keys.ts';
import { nearestName } from './nearest-name.ts';
import type { Environment } from './secret.ts';

/** `WRIT_HOME` and its like have one underscore: they are no keys of the file. */
const OVERRIDE = /^WRIT_[A-Z0-9_]*?__/;

/**
 * The values that environment variables give, put over those of the file. A variable with no key behind it is refused: it
 * was meant to change something.
 */
export function overrideFromEnvironment(
  json: JsonObject,
  environment: Environment,
): { readonly json: JsonObject; readonly variables: readonly string[] } | readonly ConfigProblem[] {
  const known = new Map<string, ConfigKey>();
  for (const key of configKeys()) {
    const variable = variableOf(key);
    if (variable !== undefined && !key.section) known.set(variable, key);
  }
  const problems: ConfigProblem[] = [];
  const variables: string[] = [];
  let result = json;
  for (const [name, text] of Object.entries(environment)) {
    if (text === undefined || !OVERRIDE.test(name)) continue;
    const key = known.get(name);
    const value = key === undefined ? undefined : typedValue(key, text);
    if (key === undefined) {
      const nearest = nearestName(name, known.keys());
      problems.push({
        key: name,
        reason: 'no key is set by this environment variable',
        ...(nearest === undefined ? {} : { hint: `did you mean ${nearest}?` }),
      });
    } else if (value === undefined) {
      problems.push({ key: name, reason: `is not of its type: ${key.type}` });
    } else {
      variables.push(name);
      result = withValue(result, key.path, value);
    }
  }
  return problems.length > 0 ? problems : { json: result, variables };
}

function typedValue({ type }: ConfigKey, text: string): JsonValue | undefined {
  if (type.startsWith('whole number')) return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  if (type === 'true or false') return text === 'true' ? true : text === 'false' ? false : undefined;
  if (type === 'list' || type === 'secret' || type === 'object') {
    const value = parseJson(text, 'request.malformed');
    return isDenial(value) ? undefined : value;
  }
  return text;
}

function withValue(json: JsonObject, path: readonly string[], value: JsonValue): JsonObject {
  const [name = '', ...rest] = path;
  if (rest.length === 0) return { ...json, [name]: value };
  const inner = json[name];
  return { ...json, [name]: withValue(isJsonObject(inner) ? inner : {}, rest, value) };
}
