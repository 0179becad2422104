import {
  canonicalize,
  decodeBase64url,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  parseJsonObject,
} from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import {
  parseReceiptFilters,
  type ReceiptFilters,
  type ReceiptOrder,
  type ReceiptPosition,
} from './receipt-query.ts';

/**
 * Where a listing goes on. It carries the whole question and how long each log was when the listing began, so that every
 * page is of the same moment: what is appended meanwhile neither moves, repeats nor hides anything.
 *
 * It isn't signed: forged, it is a question like any other, and gets the answer anyone who may read the logs gets.
 */
export interface ReceiptCursor {
  readonly filters: ReceiptFilters;
  readonly order: ReceiptOrder;
  /** Entries of each log that belong to the listing, by the log's name. */
  readonly sizes: ReadonlyMap<string, number>;
  /** The last decision shown. */
  readonly after: ReceiptPosition & { readonly log: string };
}

const VERSION = 1;
const MAX_CURSOR_CHARACTERS = 65_536;
const MAX_LOGS = 1024;
const MAX_NAME_CHARACTERS = 128;

export function formatReceiptCursor({ filters, order, sizes, after }: ReceiptCursor): string {
  const { atMs, index, log } = after;
  const members = {
    v: VERSION,
    filters: { ...filters },
    order,
    sizes: [...sizes],
    after: [log, atMs, index],
  };
  return encodeBase64url(Buffer.from(canonicalize(members)));
}

export function parseReceiptCursor(text: string): ReceiptCursor | Denial {
  if (text.length > MAX_CURSOR_CHARACTERS) return malformed();
  const bytes = decodeBase64url(text, 'request.malformed');
  if (isDenial(bytes)) return malformed();
  const json = parseJsonObject(bytes, 'request.malformed', { maxBytes: MAX_CURSOR_CHARACTERS, maxDepth: 4 });
  if (isDenial(json) || json.v !== VERSION || Object.keys(json).length !== 5) return malformed();
  const { order } = json;
  const filters = isJsonObject(json.filters) ? parseReceiptFilters(json.filters) : malformed();
  const sizes = sizesOf(json);
  const after = positionOf(json);
  if (isDenial(filters)) return malformed();
  if (order !== 'newest-first' && order !== 'oldest-first') return malformed();
  if (sizes === undefined || after === undefined || !sizes.has(after.log)) return malformed();
  return { filters, order, sizes, after };
}

function malformed(): Denial {
  return deny('request.malformed', 'the cursor is not one that a listing gave out');
}

function sizesOf({ sizes }: JsonObject): ReadonlyMap<string, number> | undefined {
  if (!Array.isArray(sizes) || sizes.length > MAX_LOGS) return undefined;
  const named = new Map<string, number>();
  for (const item of sizes) {
    if (!Array.isArray(item) || item.length !== 2) return undefined;
    const [name, size] = item;
    if (!isName(name) || !isCount(size) || named.has(name)) return undefined;
    named.set(name, size);
  }
  return named;
}

function positionOf({ after }: JsonObject): ReceiptCursor['after'] | undefined {
  if (!Array.isArray(after) || after.length !== 3) return undefined;
  const [log, atMs, index] = after;
  if (!isName(log) || !Number.isSafeInteger(atMs) || typeof atMs !== 'number' || !isCount(index))
    return undefined;
  return { log, atMs, index };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME_CHARACTERS;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
