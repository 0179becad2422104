import type { DatabaseSync } from 'node:sqlite';
import { isDenial } from '../../denial/index.ts';
import {
  type CountQuestion,
  type DecisionReceipt,
  IndexDamaged,
  type IndexProgress,
  matchesFilters,
  parseDecisionReceipt,
  type ReceiptCount,
  type ReceiptFilters,
  type ReceiptIndex,
  type ReceiptPosition,
  type ReceiptSearch,
} from '../../receipt/index.ts';
import { hashesEqual, LogUnavailable, rootAt } from '../../tlog/index.ts';
import { causeOf } from '../driver-fault.ts';
import type { Head } from './batch-writer.ts';
import type { SqliteLogReader } from './log-reader.ts';
import { countDecisions } from './receipt-index-counts.ts';
import { ReceiptFold } from './receipt-index-fold.ts';
import {
  indexPath,
  inodeOf,
  isOfNoUse,
  openIndexReadOnly,
  openKeptIndex,
  openTemporaryIndex,
  removeIndex,
  resetTables,
} from './receipt-index-schema.ts';
import { ReceiptFinder } from './receipt-index-search.ts';
import { closeQuietly } from './schema.ts';

/** Entries per transaction, and per read from the log: an entry may have 64 KiB. */
const BATCH = 8192;
const READ = 256;

/**
 * `kept`: beside the log, written as it catches up; `read-only`: beside the log, current, and not to be written; `temporary`: the
 * folder can't be written, so it was made for this process and goes with it.
 */
export type IndexKind = 'kept' | 'read-only' | 'temporary';

type OnProgress = (progress: IndexProgress) => void;

interface Opened {
  readonly kind: IndexKind;
  readonly db: DatabaseSync;
  readonly finder: ReceiptFinder;
  /** Of the file, so that one put in its place is noticed. */
  readonly inode: number | undefined;
}

/**
 * The index of one execution log, in `index.sqlite` beside it. It is derived, and no part of writing: whoever asks brings it up to date.
 *
 * INVARIANT: it is never believed over the log. It is used only where the tree under its first `size` entries is this
 * log's, and each receipt it names is read from the log and compared with the question. What it can do is not name one: then
 * `rebuild`.
 */
export class SqliteReceiptIndex implements ReceiptIndex {
  readonly #directory: string;
  readonly #log: SqliteLogReader;
  #opened: Opened | undefined;
  #running: Promise<unknown> = Promise.resolve();

  /** @param log stays the caller's to close, after this. */
  constructor(directory: string, log: SqliteLogReader) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Undefined before the first `catchUp`. */
  get kind(): IndexKind | undefined {
    return this.#opened?.kind;
  }

  catchUp(onProgress?: OnProgress): Promise<number> {
    return this.#inTurn(() => this.#catchUp(onProgress));
  }

  rebuild(onProgress?: OnProgress): Promise<number> {
    return this.#inTurn(async () => {
      const { db, kind } = this.#open();
      if (kind !== 'read-only') return this.#mend(() => this.#reset(db), onProgress);
      this.#openTemporary();
      return this.#catchUp(onProgress);
    });
  }

  find(search: ReceiptSearch): ReceiptPosition[] {
    return this.#asking(({ finder }) => finder.find(search));
  }

  read(positions: readonly ReceiptPosition[], filters: ReceiptFilters): DecisionReceipt[] {
    return positions.map(({ atMs, index }) => {
      const [entry] = Number.isSafeInteger(index) && index >= 0 ? this.#log.read(index, 1) : [];
      const receipt = entry === undefined ? undefined : parseDecisionReceipt(entry);
      if (
        receipt === undefined ||
        isDenial(receipt) ||
        receipt.atMs !== atMs ||
        !matchesFilters(receipt, filters)
      ) {
        throw new IndexDamaged(this, `the index says something else than entry ${index} of the log`);
      }
      return receipt;
    });
  }

  count(question: CountQuestion): ReceiptCount[] {
    return this.#asking(({ db }) => countDecisions(db, question));
  }

  close(): void {
    closeQuietly(this.#opened?.db);
    this.#opened = undefined;
  }

  /** One at a time: a connection has one transaction. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#running.then(work);
    this.#running = result.catch(() => undefined);
    return result;
  }

  #asking<T>(ask: (opened: Opened) => T): T {
    const opened = this.#opened;
    if (opened === undefined) throw new TypeError('an index is asked after it has caught up');
    try {
      return ask(opened);
    } catch (error) {
      throw isOfNoUse(error) ? new IndexDamaged(this, causeOf(error)) : unusable(error);
    }
  }

  async #catchUp(onProgress?: OnProgress): Promise<number> {
    const head = this.#log.head();
    const opened = this.#open();
    if (opened.kind === 'read-only') {
      if (this.#isCurrent(opened.db, head)) return head.size;
      this.#openTemporary();
    }
    return this.#mend(({ db }) => {
      if (!this.#isOfThisLog(db, head)) this.#reset(db);
    }, onProgress);
  }

  /** Runs `first`, then takes in what is missing; starts over with an empty file where this one turns out to be of no use. */
  async #mend(first: (opened: Opened) => void, onProgress?: OnProgress): Promise<number> {
    const head = this.#log.head();
    try {
      first(this.#open());
      return await this.#takeIn(head, onProgress);
    } catch (error) {
      if (error instanceof LogUnavailable || error instanceof TypeError) throw error;
      const inode = this.#opened?.inode;
      if (isOfNoUse(error)) {
        this.close();
        removeIndex(this.#directory, inode);
      } else {
        // The folder turns out not to take it: a full disk, a read-only mount, somebody who does not let go.
        this.#openTemporary();
      }
    }
    try {
      return await this.#takeIn(head, onProgress);
    } catch (error) {
      throw unusable(error);
    }
  }

  async #takeIn(head: Head, onProgress?: OnProgress): Promise<number> {
    const { db } = this.#open();
    let fold = new ReceiptFold(db);
    let { size } = readFold(db);
    while (size < head.size) {
      size = inTransaction(db, () => {
        const from = readFold(db).size;
        // Another process is at it too: what was remembered of the tables may be wrong by now.
        if (from !== size) fold = new ReceiptFold(db);
        return from < head.size ? this.#foldBatch(db, fold, from, head) : from;
      });
      onProgress?.({ entries: Math.min(size, head.size), of: head.size });
      // Others in this process get their turn between batches.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return size;
  }

  #foldBatch(db: DatabaseSync, fold: ReceiptFold, from: number, head: Head): number {
    const to = Math.min(head.size, from + BATCH);
    for (let start = from; start < to; start += READ) {
      const entries = this.#log.read(start, Math.min(READ, to - start));
      for (const [offset, entry] of entries.entries()) fold.add(start + offset, entry);
    }
    const { decisions, denials } = fold.flush();
    const root = to === head.size ? head.rootHash : rootAt(this.#log, to);
    db.prepare('UPDATE fold SET size = ?, root = ?, decisions = decisions + ?, denials = denials + ?').run(
      to,
      root,
      decisions,
      denials,
    );
    return to;
  }

  #isCurrent(db: DatabaseSync, head: Head): boolean {
    try {
      return readFold(db).size >= head.size && this.#isOfThisLog(db, head);
    } catch {
      return false;
    }
  }

  /** Whether what the index has taken in is the beginning of this log. */
  #isOfThisLog(db: DatabaseSync, head: Head): boolean {
    const { origin, size, root } = readFold(db);
    if (origin !== this.#log.origin) return false;
    if (size === head.size) return hashesEqual(root, head.rootHash);
    // Another process may have caught up with what was appended since.
    const now = size < head.size ? head : this.#log.head();
    return size <= now.size && hashesEqual(root, rootAt(this.#log, size));
  }

  #reset(db: DatabaseSync): void {
    inTransaction(db, () => resetTables(db, this.#log.origin));
  }

  #open(): Opened {
    const known = this.#opened;
    if (known !== undefined) {
      if (known.kind === 'temporary' || inodeOf(indexPath(this.#directory)) === known.inode) return known;
      this.close();
    }
    try {
      return this.#use('kept', openKeptIndex(this.#directory, this.#log.origin));
    } catch {
      try {
        return this.#use('read-only', openIndexReadOnly(this.#directory));
      } catch {
        return this.#openTemporary();
      }
    }
  }

  #openTemporary(): Opened {
    this.close();
    return this.#use('temporary', openTemporaryIndex(this.#log.origin));
  }

  #use(kind: IndexKind, db: DatabaseSync): Opened {
    const inode = kind === 'temporary' ? undefined : inodeOf(indexPath(this.#directory));
    this.#opened = { kind, db, finder: new ReceiptFinder(db), inode };
    return this.#opened;
  }
}

function readFold(db: DatabaseSync): { origin: string; size: number; root: Uint8Array } {
  const row = db.prepare('SELECT origin, size, root FROM fold').get();
  const { origin, size, root } = row ?? {};
  const isWhole =
    typeof origin === 'string' && typeof size === 'number' && size >= 0 && root instanceof Uint8Array;
  return isWhole ? { origin, size, root } : { origin: '', size: 0, root: new Uint8Array() };
}

function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function unusable(error: unknown): Error {
  if (error instanceof LogUnavailable || error instanceof TypeError) return error;
  return new LogUnavailable(`the index of the log cannot be used: ${causeOf(error)}`);
}
