import {
  type Digest,
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
} from '../../codec/index.ts';
import { encodeMessage } from './answer.ts';
import type { RequestId } from './message.ts';
import { hasLookalikeMembers } from './tool-definitions.ts';
import { type McpArea, mcpToolId } from './tool-id.ts';

export interface ListingFilter {
  readonly server: string;
  readonly grants: (tool: string) => boolean;
  /** The digest a tool's definition must have to be shown, where one is pinned. */
  readonly pinnedDigest: (tool: string) => Digest | undefined;
  readonly digestOf: (definition: JsonObject) => Digest | undefined;
}

/** The list methods, the member each one's result holds, and for all but tools what must be granted to see any of it. */
interface List {
  readonly member: string;
  readonly needs?: { readonly area: McpArea; readonly name: string };
}

const LISTS: ReadonlyMap<string, List> = new Map([
  ['tools/list', { member: 'tools' }],
  ['resources/list', { member: 'resources', needs: { area: 'resources', name: 'read' } }],
  ['resources/templates/list', { member: 'resourceTemplates', needs: { area: 'resources', name: 'read' } }],
  ['prompts/list', { member: 'prompts', needs: { area: 'prompts', name: 'get' } }],
]);

export function isListMethod(method: string): boolean {
  return LISTS.has(method);
}

/**
 * Takes out of a list result what the artifact does not grant. Tools are shown one by one, and a tool whose definition
 * is not the pinned one, or can be read in two ways, is withheld (what it says is for the model to read); resources and prompts show when reading
 * or getting is granted at all. Cursors are kept, so a page may be short or empty while more follow.
 *
 * A filtered list depends on the artifact: where the result says how it may be cached (2026-07-28), it is made private
 * and immediately stale.
 *
 * @returns the line to send instead; `unchanged` where nothing needed taking out; undefined where this is not a list.
 */
export function filterListing(
  method: string,
  id: RequestId,
  result: JsonObject,
  filter: ListingFilter,
): Buffer | 'unchanged' | undefined {
  const list = LISTS.get(method);
  if (list === undefined) return undefined;
  const elements = result[list.member];
  if (!Array.isArray(elements)) return undefined;

  const shown = shownOf(elements, list, filter);
  const cached = 'ttlMs' in result || 'cacheScope' in result;
  if (shown.length === elements.length && (!cached || isPrivateAndStale(result))) return 'unchanged';
  return encodeMessage({
    jsonrpc: '2.0',
    id,
    result: { ...result, [list.member]: shown, ...(cached ? { ttlMs: 0, cacheScope: 'private' } : {}) },
  });
}

function shownOf(elements: JsonArray, { needs }: List, filter: ListingFilter): JsonArray {
  const { server, grants } = filter;
  if (needs !== undefined) return grants(mcpToolId(server, needs.area, needs.name)) ? elements : [];
  const timesListed = new Map<string | undefined, number>();
  for (const element of elements) {
    const name = nameOf(element);
    timesListed.set(name, (timesListed.get(name) ?? 0) + 1);
  }
  return elements.filter((element) => {
    const name = nameOf(element);
    return (
      name !== undefined &&
      timesListed.get(name) === 1 &&
      isShownTool(mcpToolId(server, 'tools', name), element, filter)
    );
  });
}

function nameOf(element: JsonValue): string | undefined {
  const name = isJsonObject(element) ? element.name : undefined;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function isShownTool(tool: string, definition: JsonValue, filter: ListingFilter): boolean {
  if (!filter.grants(tool) || !isJsonObject(definition) || hasLookalikeMembers(definition)) return false;
  const pinned = filter.pinnedDigest(tool);
  return pinned === undefined || filter.digestOf(definition) === pinned;
}

function isPrivateAndStale(result: JsonObject): boolean {
  return result.ttlMs === 0 && result.cacheScope === 'private';
}
