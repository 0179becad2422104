import { isJsonObject, type JsonObject } from '../../codec/index.ts';
import { type Denial, deny } from '../../denial/index.ts';
import { parseCallerTrace } from '../../governor/index.ts';
import { encodeMessage, META_PARENT, META_RECEIPT } from './answer.ts';
import type { ResponseMessage } from './message.ts';
import type { CallerTrace } from './ports.ts';

const MAX_PARENT_CHARACTERS = 256;

/** What a call says to Writ in its `_meta`. It is forwarded with everything else. */
export interface CallMeta {
  /** Id of the execution the call follows from. */
  readonly parent?: string;
  /** Whether the result shall carry the receipt's id. */
  readonly wantsReceipt: boolean;
}

export function readCallMeta(params: JsonObject): CallMeta | Denial {
  const meta = params._meta;
  if (meta === undefined) return { wantsReceipt: false };
  if (!isJsonObject(meta)) return deny('request.malformed', '_meta is not an object');
  const wantsReceipt = meta[META_RECEIPT] === true;
  const parent = meta[META_PARENT];
  if (parent === undefined) return { wantsReceipt };
  return typeof parent === 'string' && parent.length <= MAX_PARENT_CHARACTERS
    ? { parent, wantsReceipt }
    : deny('request.malformed', 'the named parent is not an execution id');
}

/** The trace a call is part of, as it says (2026-07-28). Whatever stands there is forwarded as it is, and refuses no call. */
export function readCallerTrace({ _meta: meta }: JsonObject): CallerTrace | undefined {
  return isJsonObject(meta) ? parseCallerTrace(meta.traceparent, meta.tracestate) : undefined;
}

/** The result with the receipt's id added to its `_meta`: for clients that asked, everyone else gets the very bytes. */
export function addReceipt({ id, result = {} }: ResponseMessage, receipt: string): Buffer {
  const meta = isJsonObject(result._meta) ? result._meta : {};
  return encodeMessage({
    jsonrpc: '2.0',
    id,
    result: { ...result, _meta: { ...meta, [META_RECEIPT]: receipt } },
  });
}
