import { type Denial, deny, isDenial } from '../denial/index.ts';
import type { DecisionReceipt } from './decision-receipt.ts';
import { formatReceiptCursor, parseReceiptCursor, type ReceiptCursor } from './receipt-cursor.ts';
import { type CountQuestion, IndexDamaged, type ReceiptCount, type ReceiptIndex } from './receipt-index.ts';
import {
  parseReceiptFilters,
  type ReceiptFilters,
  type ReceiptOrder,
  type ReceiptPosition,
} from './receipt-query.ts';

/** The first page of a listing, or with `cursor` the page after the one that gave it. */
export type ReceiptRequest =
  | { readonly filters: ReceiptFilters; readonly order: ReceiptOrder; readonly limit: number }
  | { readonly cursor: string; readonly limit: number };

export interface FoundReceipt {
  /** Name of the log that holds it, and where. */
  readonly log: string;
  readonly index: number;
  readonly receipt: DecisionReceipt;
}

export interface ReceiptPage {
  readonly found: readonly FoundReceipt[];
  readonly order: ReceiptOrder;
  /** How many entries of each log the listing is about. */
  readonly sizes: ReadonlyMap<string, number>;
  /** For the page after this one; undefined on the last. */
  readonly next: string | undefined;
}

/** Of one page. */
export const MAX_PAGE_LIMIT = 1000;

type Indexes = ReadonlyMap<string, ReceiptIndex>;
type Place = ReceiptPosition & { readonly log: string };

/**
 * One page of decisions over several logs, merged by time. All pages of a listing are of the moment its first one was
 * asked for. An index found damaged is rebuilt from its log, once.
 *
 * @returns a denial (`request.malformed`) where filters, limit or cursor are none, or the cursor is of other logs.
 * @throws LogUnavailable where a log cannot be read.
 */
export async function queryReceipts(
  indexes: Indexes,
  request: ReceiptRequest,
): Promise<ReceiptPage | Denial> {
  const { limit } = request;
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_PAGE_LIMIT) {
    return deny('request.malformed', `a page has 1 to ${MAX_PAGE_LIMIT} decisions`);
  }
  return mending(indexes, async () => {
    const known = await catchUp(indexes);
    const listing = 'cursor' in request ? resume(request.cursor, known) : begin(request, known);
    return isDenial(listing) ? listing : pageOf(indexes, listing, limit);
  });
}

function pageOf(indexes: Indexes, listing: Listing, limit: number): ReceiptPage {
  const places = findPlaces(indexes, listing, limit + 1);
  const shown = places.slice(0, limit);
  const receipts = new Map<string, DecisionReceipt[]>();
  for (const [log, index] of indexes) {
    const positions = shown.filter((place) => place.log === log);
    receipts.set(log, index.read(positions, listing.filters));
  }
  const found = shown.flatMap(({ log, index }) => {
    const receipt = receipts.get(log)?.shift();
    return receipt === undefined ? [] : [{ log, index, receipt }];
  });
  const last = shown.at(-1);
  const next =
    places.length > limit && last !== undefined
      ? formatReceiptCursor({ ...listing, after: last })
      : undefined;
  return { found, order: listing.order, sizes: listing.sizes, next };
}

/** Decisions per agent, tool or code over several logs, most frequent first. */
export async function countReceipts(
  indexes: Indexes,
  question: CountQuestion & { readonly limit: number },
): Promise<readonly ReceiptCount[]> {
  const counts = await mending(indexes, async () => {
    await catchUp(indexes);
    return addUp([...indexes.values()].flatMap((index) => index.count(question)));
  });
  return [...counts.values()]
    .sort((a, b) => b.permits + b.denials - a.permits - a.denials || compareNames(a.value, b.value))
    .slice(0, question.limit);
}

function addUp(counts: readonly ReceiptCount[]): Map<string, ReceiptCount> {
  const sums = new Map<string, ReceiptCount>();
  for (const { value, permits, denials } of counts) {
    const sum = sums.get(value) ?? { value, permits: 0, denials: 0 };
    sums.set(value, { value, permits: sum.permits + permits, denials: sum.denials + denials });
  }
  return sums;
}

type Listing = Omit<ReceiptCursor, 'after'> & { readonly after?: ReceiptCursor['after'] };

async function catchUp(indexes: Indexes): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const [log, index] of indexes) sizes.set(log, await index.catchUp());
  return sizes;
}

function begin(
  { filters: asked, order }: { readonly filters: ReceiptFilters; readonly order: ReceiptOrder },
  sizes: ReadonlyMap<string, number>,
): Listing | Denial {
  const filters = parseReceiptFilters(asked);
  return isDenial(filters) ? filters : { filters, order, sizes };
}

function resume(text: string, known: ReadonlyMap<string, number>): Listing | Denial {
  const cursor = parseReceiptCursor(text);
  if (isDenial(cursor)) return cursor;
  for (const [log, size] of cursor.sizes) {
    const has = known.get(log);
    if (has === undefined || has < size) {
      return deny('request.malformed', 'the cursor is of logs that are not these: begin the listing again');
    }
  }
  return cursor;
}

function findPlaces(indexes: Indexes, listing: Listing, limit: number): Place[] {
  const { filters, order, sizes, after } = listing;
  const places: Place[] = [];
  for (const [log, belowIndex] of sizes) {
    const index = indexes.get(log);
    if (index === undefined) continue;
    const from = after === undefined ? undefined : seenFrom(log, after, order);
    const search = { filters, order, belowIndex, limit, ...(from && { after: from }) };
    places.push(...index.find(search).map((position) => ({ ...position, log })));
  }
  const direction = order === 'newest-first' ? -1 : 1;
  return places.sort((a, b) => direction * comparePlaces(a, b)).slice(0, limit);
}

/**
 * The last shown decision as a place in a log that may be another: at equal times, logs come one after the other, so
 * such a log has shown everything of that moment, or nothing.
 */
function seenFrom(log: string, last: Place, order: ReceiptOrder): ReceiptPosition {
  const { atMs, index } = last;
  if (log === last.log) return { atMs, index };
  const isShown = compareNames(log, last.log) < 0 === (order === 'oldest-first');
  const isEnd = isShown === (order === 'oldest-first');
  return { atMs, index: isEnd ? Number.MAX_SAFE_INTEGER : -1 };
}

function comparePlaces(a: Place, b: Place): number {
  return a.atMs - b.atMs || compareNames(a.log, b.log) || a.index - b.index;
}

/** By code units: the same everywhere, whatever the locale. */
function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Rebuilds an index that turns out damaged and asks again; each index once at most. */
async function mending<T>(indexes: Indexes, ask: () => Promise<T>): Promise<T> {
  for (let rebuilt = 0; ; rebuilt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof IndexDamaged) || rebuilt === indexes.size) throw error;
      await error.index.rebuild();
    }
  }
}
