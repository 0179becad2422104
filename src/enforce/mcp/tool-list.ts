import type { JsonArray } from '../../codec/index.ts';
import { MAX_TOOLS } from '../../environment/index.ts';
import { type Era, ownMeta } from './era.ts';
import type { OwnRequests } from './own-requests.ts';

const MAX_PAGES = 256;
/** Cursors are kept, to see whether the upstream turns in circles. */
const MAX_CURSOR_CHARACTERS = 64 * 1024;
const METHOD_NOT_FOUND = -32601;

/**
 * Lists an upstream's tools, every page. A server without the method has none; one that does not answer, refuses, sends no
 * lists, too many tools or a cursor twice has no usable list.
 *
 * @param timeoutMs per page.
 * @param onPage takes what it needs of each page: pages may be large, and many.
 * @returns whether the list is complete.
 */
export async function readToolList(
  requests: OwnRequests,
  era: Era,
  timeoutMs: number,
  onPage: (tools: JsonArray) => void,
): Promise<boolean> {
  const cursors = new Set<string>();
  const meta = ownMeta(era);
  let cursor: string | undefined;
  let count = 0;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const params = cursor === undefined ? meta : { ...meta, cursor };
    const answer = await requests.send('tools/list', params, timeoutMs).answer;
    if (typeof answer === 'string') return false;
    if (answer.result === undefined) return answer.error?.code === METHOD_NOT_FOUND;
    const { tools, nextCursor } = answer.result;
    if (!Array.isArray(tools)) return false;
    count += tools.length;
    if (count > MAX_TOOLS) return false;
    onPage(tools);
    if (nextCursor === undefined || nextCursor === null) return true;
    if (typeof nextCursor !== 'string' || nextCursor.length > MAX_CURSOR_CHARACTERS) return false;
    if (cursors.has(nextCursor)) return false;
    cursors.add(nextCursor);
    cursor = nextCursor;
  }
  return false;
}
