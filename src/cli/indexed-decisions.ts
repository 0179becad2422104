import { isDenial } from '../denial/index.ts';
import { type Home, withOutcome } from '../governor/index.ts';
import {
  MAX_PAGE_LIMIT,
  queryReceipts,
  type ReceiptFilters,
  type ReceiptPage,
  type ReceiptRequest,
} from '../receipt/index.ts';
import { type SqliteLogReader, SqliteReceiptIndex } from '../storage/index.ts';
import { LogUnavailable } from '../tlog/index.ts';
import { denied, failure } from './cli-error.ts';
import { closeLogs, type LoggedDecision, openLogs } from './decisions.ts';
import type { Output } from './output.ts';

export interface Listing {
  readonly decisions: readonly LoggedDecision[];
  readonly next: string | undefined;
  /** Entries of each log that the listing is about. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** The decisions of a domain's logs, found through their indexes. */
export class IndexedDecisions {
  readonly indexes = new Map<string, SqliteReceiptIndex>();
  readonly #readers: ReadonlyMap<string, SqliteLogReader>;
  readonly #named: boolean;
  readonly #onUnreadable: (log: string) => void;

  private constructor(
    home: Home,
    readers: ReadonlyMap<string, SqliteLogReader>,
    named: boolean,
    onUnreadable: (log: string) => void,
  ) {
    this.#readers = readers;
    this.#named = named;
    this.#onUnreadable = onUnreadable;
    for (const [log, reader] of readers) {
      this.indexes.set(log, new SqliteReceiptIndex(home.executionLogFolder(log), reader));
    }
  }

  /** @param named the only log, or undefined for all; then one that cannot be read is told to `onUnreadable` and passed over. */
  static open(home: Home, named: string | undefined, onUnreadable: (log: string) => void): IndexedDecisions {
    return new IndexedDecisions(home, openLogs(home, named, onUnreadable), named !== undefined, onUnreadable);
  }

  /** Brings the indexes up to date, or makes them anew. Resolves to the entries of each log. */
  async catchUp(output: Output, anew = false): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for (const [log, index] of [...this.indexes]) {
      try {
        const size = await output.during(`indexing log ${log}`, (tell) => {
          const onProgress = ({ entries, of }: { entries: number; of: number }) => tell(entries, of);
          return anew ? index.rebuild(onProgress) : index.catchUp(onProgress);
        });
        sizes.set(log, size);
      } catch (error) {
        if (!(error instanceof LogUnavailable)) throw error;
        if (this.#named) {
          throw failure(
            'log.unavailable',
            `log ${log}: ${error.message}`,
            `run "writ log verify --log ${log}"`,
          );
        }
        this.#onUnreadable(log);
        index.close();
        this.indexes.delete(log);
      }
    }
    return sizes;
  }

  async page(request: ReceiptRequest): Promise<Listing> {
    const { found, next, sizes } = await this.#query(request);
    const decisions = found.flatMap((one) => {
      const reader = this.#readers.get(one.log);
      return reader === undefined ? [] : [withOutcome(reader, one)];
    });
    return { decisions, next, sizes };
  }

  /** So many of the newest, oldest first. */
  async newest(filters: ReceiptFilters, count: number): Promise<Listing> {
    const limit = Math.min(Math.max(count, 1), MAX_PAGE_LIMIT);
    let page = await this.page({ filters, order: 'newest-first', limit });
    const { sizes } = page;
    const decisions = [...page.decisions];
    while (decisions.length < count && page.next !== undefined) {
      page = await this.page({ cursor: page.next, limit });
      decisions.push(...page.decisions);
    }
    return { decisions: decisions.slice(0, count).reverse(), next: undefined, sizes };
  }

  close(): void {
    for (const index of this.indexes.values()) index.close();
    closeLogs(this.#readers);
  }

  async #query(request: ReceiptRequest): Promise<ReceiptPage> {
    const page = await queryReceipts(this.indexes, request);
    if (isDenial(page))
      throw denied(page, 'list decisions from the beginning with "writ log show --limit 50"');
    return page;
  }
}
