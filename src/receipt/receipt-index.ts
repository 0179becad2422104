import type { DecisionReceipt } from './decision-receipt.ts';
import type { ReceiptFilters, ReceiptOrder, ReceiptPosition } from './receipt-query.ts';

/** Questions about the decisions of one log. Drivers live in src/storage. */
export interface ReceiptIndex {
  /**
   * Takes in what the log has beyond the index, in bounded batches, and makes it anew where it isn't the index of this
   * very log. Resolves to how many leading entries of the log the index answers for: at least all that were durable
   * when it was called. `onProgress` hears of each batch.
   */
  catchUp(onProgress?: (progress: IndexProgress) => void): Promise<number>;
  /** Forgets everything, and takes the whole log in again. */
  rebuild(onProgress?: (progress: IndexProgress) => void): Promise<number>;
  /**
   * Where decisions that match stand, in order. What the index says here is hearsay until `read` has looked.
   * @throws IndexDamaged
   */
  find(search: ReceiptSearch): ReceiptPosition[];
  /**
   * The receipts at positions, read from the log.
   * INVARIANT: each of them is the log's own entry, stands at the position's time, and matches the filters.
   * @throws IndexDamaged where the log has something else there.
   */
  read(positions: readonly ReceiptPosition[], filters: ReceiptFilters): DecisionReceipt[];
  /**
   * Decisions per value of a facet, most frequent first. The index's word: nothing of it is looked up in the log.
   * @throws IndexDamaged
   */
  count(question: CountQuestion): ReceiptCount[];
}

export interface IndexProgress {
  /** Entries taken in so far, decisions or not. */
  readonly entries: number;
  readonly of: number;
}

export interface ReceiptSearch {
  readonly filters: ReceiptFilters;
  readonly order: ReceiptOrder;
  /** Only entries of the log before this index. */
  readonly belowIndex: number;
  /** Only what comes after this place in the order. */
  readonly after?: ReceiptPosition;
  readonly limit: number;
}

export type CountedFacet = 'agent' | 'tool' | 'code';

export interface CountQuestion {
  readonly by: CountedFacet;
  /** At or after; milliseconds since the epoch. */
  readonly sinceMs?: number;
  /** Before; milliseconds since the epoch. */
  readonly untilMs?: number;
}

export interface ReceiptCount {
  /** Empty: permits where codes are counted, and decisions without a known agent or tool. */
  readonly value: string;
  readonly permits: number;
  readonly denials: number;
}

/** The index can't be used as it is: it contradicts the log or itself. `rebuild` mends it; the log is unharmed. */
export class IndexDamaged extends Error {
  override readonly name = 'IndexDamaged';
  readonly index: ReceiptIndex;

  constructor(index: ReceiptIndex, message: string) {
    super(message);
    this.index = index;
  }
}
