import type { JsonArray, JsonValue } from '../../codec/index.ts';
import { type Era, ownMeta } from './era.ts';
import type { OwnRequests } from './own-requests.ts';

const MAX_PAGES = 256;
export const MAX_TOOLS = 10_000;
const METHOD_NOT_FOUND = -32601;

/**
 * Lists an upstream's tools, every page. A server without the method has none; one that does not answer, refuses,
 * sends no lists, too many tools or a cursor twice has no usable list, which is undefined.
 *
 * @param timeoutMs per page.
 */
export async function readToolList(
  requests: OwnRequests,
  era: Era,
  timeoutMs: number,
): Promise<JsonArray | undefined> {
  const listed: JsonValue[] = [];
  const cursors = new Set<string>();
  const meta = ownMeta(era);
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const params = cursor === undefined ? meta : { ...meta, cursor };
    const answer = await requests.send('tools/list', params, timeoutMs).answer;
    if (typeof answer === 'string') return undefined;
    if (answer.result === undefined) return answer.error?.code === METHOD_NOT_FOUND ? listed : undefined;
    const { tools, nextCursor } = answer.result;
    if (!Array.isArray(tools) || listed.length + tools.length > MAX_TOOLS) return undefined;
    for (const tool of tools) listed.push(tool);
    if (nextCursor === undefined || nextCursor === null) return listed;
    if (typeof nextCursor !== 'string' || cursors.has(nextCursor)) return undefined;
    cursors.add(nextCursor);
    cursor = nextCursor;
  }
  return undefined;
}
