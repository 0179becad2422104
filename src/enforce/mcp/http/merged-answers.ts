import { isJsonObject, type JsonObject, type JsonValue } from '../../../codec/index.ts';
import { prefixName, prefixUri } from './upstream-names.ts';

/** What several servers can be asked through one endpoint. */
const CAPABILITIES = ['tools', 'resources', 'prompts', 'logging', 'completions'];
const SERVER_INFO = { name: 'writ', version: '0' };

/**
 * What several servers say of themselves, as one: all capabilities that any has, the oldest version. Undefined where none
 * answered.
 */
export function mergeBeginnings(
  method: 'initialize' | 'server/discover',
  answers: ReadonlyMap<string, JsonObject>,
  modernVersions: readonly string[],
): JsonObject | undefined {
  const results = [...answers].flatMap(([upstream, { result }]): [string, JsonObject][] =>
    isJsonObject(result) ? [[upstream, result]] : [],
  );
  if (results.length === 0) return undefined;
  const capabilities = mergeCapabilities(results.map(([, result]) => result.capabilities));
  const instructions = results.flatMap(([upstream, result]) =>
    typeof result.instructions === 'string' ? [`${upstream}: ${result.instructions}`] : [],
  );
  const told = instructions.length === 0 ? {} : { instructions: instructions.join('\n\n') };
  if (method === 'initialize') {
    const versions = results.map(([, result]) => String(result.protocolVersion)).sort();
    return { protocolVersion: versions[0] ?? '', capabilities, serverInfo: SERVER_INFO, ...told };
  }
  return {
    resultType: 'complete',
    supportedVersions: modernVersions,
    capabilities,
    ttlMs: 0,
    cacheScope: 'private',
    ...told,
    _meta: { 'io.modelcontextprotocol/serverInfo': SERVER_INFO },
  };
}

function mergeCapabilities(all: readonly (JsonValue | undefined)[]): JsonObject {
  const merged: Record<string, JsonObject> = {};
  for (const capabilities of all) {
    if (!isJsonObject(capabilities)) continue;
    for (const name of CAPABILITIES) {
      const capability = capabilities[name];
      if (!isJsonObject(capability)) continue;
      const set = Object.entries(capability).filter(([, value]) => value === true);
      merged[name] = { ...merged[name], ...Object.fromEntries(set) };
    }
  }
  return merged;
}

/** Which member of a list's result has the elements, and which members of those are names or URIs. */
const LISTED: Readonly<
  Record<string, { readonly member: string; readonly key: string; readonly uri: boolean }>
> = {
  'tools/list': { member: 'tools', key: 'name', uri: false },
  'prompts/list': { member: 'prompts', key: 'name', uri: false },
  'resources/list': { member: 'resources', key: 'uri', uri: true },
  'resources/templates/list': { member: 'resourceTemplates', key: 'uriTemplate', uri: true },
};

/** A list as it is told to clients; an empty one where the server has none. */
export function prefixListed(upstream: string, method: string, result: JsonObject): JsonObject {
  const list = LISTED[method];
  if (list === undefined) return result;
  const { member, key, uri } = list;
  const elements = result[member];
  const prefix = uri ? prefixUri : prefixName;
  const prefixed = (Array.isArray(elements) ? elements : []).flatMap((element): JsonObject[] => {
    if (!isJsonObject(element)) return [];
    const name = element[key];
    return typeof name === 'string' ? [{ ...element, [key]: prefix(upstream, name) }] : [];
  });
  return { ...result, [member]: prefixed };
}
