import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { CompactTree } from '../../tlog/compact-tree.ts';
import { leafHash } from '../../tlog/hash.ts';
import { type AppendRequest, type AppendResult, LogUnavailable, logFault } from '../../tlog/log.ts';
import { add, type Decimal, decimalOf, exceeds, formatDecimal, parseDecimal, ZERO } from '../decimal.ts';
import { unavailableBecause } from '../driver-fault.ts';
import type { BatchOutcome, Head, OpenedHead, WriterOptions } from './batch-writer.ts';
import { CommitSeal } from './commit-seal.ts';
import { EvidenceSeal } from './evidence-seal.ts';
import { readLogRow } from './log-row.ts';
import { resumeTree } from './resume-tree.ts';
import { closeQuietly, openForWriting } from './schema.ts';
import { WriterLock } from './writer-lock.ts';

/** WAL pages (8 KiB) beyond which a WAL checkpoint is made, even when busy and when idle. */
const BUSY_CHECKPOINT_PAGES = 512;
const IDLE_CHECKPOINT_PAGES = 128;

/** Consumed ids are kept this long beyond their expiry: room for a clock that is put forward and back. */
const CONSUMED_MARGIN_SECONDS = 120;
/** Consumed ids looked at per request, so that forgetting keeps pace with remembering; and when there is time. */
const LOOKED_AT_PER_REQUEST = 2;
const LOOKED_AT_PER_COMMIT = 8;
const LOOKED_AT_WHEN_IDLE = 5_000;

/**
 * The synchronous writer: holds the lock, the database and the right edge of the tree. One `commit` is one transaction.
 *
 * INVARIANT: after any failure nothing is written again through this object. A failed commit may or may not be on disk,
 * and a second fsync may lie about it; only reopening, which reads what is really there, can tell (DESIGN §6).
 */
export class LogDatabase {
  /** The head found when the log was opened. */
  readonly opened: OpenedHead;
  readonly #lock: WriterLock;
  readonly #db: DatabaseSync;
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #commitSeal: CommitSeal;
  readonly #evidenceSeal: EvidenceSeal | undefined;
  #tree: CompactTree;
  #head: Head;
  #consumedFloor: number;
  /** The last id looked at for expiry. */
  #purgeCursor = '';
  #nowSeconds = 0;
  #walHoldsErased = false;
  #failure: LogUnavailable | undefined;

  private constructor(lock: WriterLock, db: DatabaseSync, options: WriterOptions) {
    this.#lock = lock;
    this.#db = db;
    this.#statements = prepareStatements(db);
    this.#commitSeal = new CommitSeal(options.commitKey, options.origin);
    this.#evidenceSeal =
      options.evidenceKey === undefined ? undefined : new EvidenceSeal(options.evidenceKey);
    const stored = readLogRow(db);
    if (stored.origin !== options.origin) {
      throw new LogUnavailable(`${options.directory} is the log ${stored.origin}, not ${options.origin}`);
    }
    this.#consumedFloor = stored.consumedFloor;
    this.#head = { size: stored.size, rootHash: stored.rootHash };
    this.#tree = resumeTree(db, this.#head);
    this.opened = { ...this.#head, isSealed: this.#commitSeal.isSealed(this.#head, stored.seal) };
  }

  /** @throws LogUnavailable when the log has another writer, or what is stored is not what was committed. */
  static open(options: WriterOptions): LogDatabase {
    const lock = WriterLock.acquire(options.directory, options.lockTimeoutMs ?? 0);
    let db: DatabaseSync | undefined;
    try {
      db = openForWriting(options.directory, options.origin);
      return new LogDatabase(lock, db, options);
    } catch (error) {
      closeQuietly(db);
      lock.release();
      if (error instanceof TypeError) throw error;
      throw unavailableBecause(`${options.directory} cannot be opened`, error);
    }
  }

  get head(): Head {
    return this.#head;
  }

  /** @throws LogUnavailable, now and ever after, when the batch could not be made durable. */
  commit(requests: readonly AppendRequest[], nowSeconds: number): BatchOutcome {
    return this.#guard(() => {
      const tree = this.#tree.clone();
      this.#db.exec('BEGIN IMMEDIATE');
      const results = requests.map((request) => this.#append(tree, request));
      const head = { size: tree.size, rootHash: tree.root() };
      this.#moveHead(head);
      this.#nowSeconds = nowSeconds;
      const floor = this.#forgetExpired(requests.length * LOOKED_AT_PER_REQUEST + LOOKED_AT_PER_COMMIT);
      this.#db.exec('COMMIT');
      this.#tree = tree;
      this.#head = head;
      this.#consumedFloor = floor;
      return { results, head };
    });
  }

  /** By compare-and-swap: with the writer lock's file deleted there can be two writers, and neither may undo the other. */
  #moveHead(head: Head): void {
    const seal = this.#commitSeal.seal(head);
    const { changes } = this.#statements.setHead.run(
      head.size,
      head.rootHash,
      seal,
      this.#head.size,
      this.#head.rootHash,
    );
    if (changes !== 1) throw logFault('second_writer', 'something else has written to it');
  }

  /** Deletes the blobs and their keys and overwrites where they stood, in the database and in the WAL. */
  eraseEvidence(addresses: readonly string[]): number {
    return this.#guard(() => {
      let erased = 0;
      this.#db.exec('PRAGMA secure_delete = ON');
      this.#db.exec('BEGIN IMMEDIATE');
      for (const address of addresses) {
        erased += Number(this.#statements.eraseEvidence.run(address).changes);
      }
      this.#db.exec('COMMIT');
      this.#db.exec('PRAGMA secure_delete = FAST');
      if (erased > 0) this.#emptyWal();
      return erased;
    });
  }

  /** Upkeep between batches: moves the WAL into the database before it grows long. */
  tidy(idle: boolean): void {
    this.#guard(() => {
      if (this.#walHoldsErased) {
        this.#emptyWal();
        return;
      }
      if (idle && this.#nowSeconds > 0) {
        this.#db.exec('BEGIN IMMEDIATE');
        const floor = this.#forgetExpired(LOOKED_AT_WHEN_IDLE);
        this.#db.exec('COMMIT');
        this.#consumedFloor = floor;
      }
      const pages = this.#statements.walPages.get()?.log;
      if (typeof pages === 'number' && pages >= (idle ? IDLE_CHECKPOINT_PAGES : BUSY_CHECKPOINT_PAGES)) {
        this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)');
      }
    });
  }

  /** Old pages must not keep what was erased; where a reader is in the way it is tried again later. */
  #emptyWal(): void {
    this.#walHoldsErased = this.#db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy !== 0;
  }

  /** Never throws: what was acknowledged is durable without it. */
  close(): void {
    this.#failure ??= new LogUnavailable('the log is closed');
    closeQuietly(this.#db);
    this.#lock.release();
  }

  #guard<T>(work: () => T): T {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return work();
    } catch (error) {
      this.#failure = failureAfter(error);
      try {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      } catch {
        // The failure that came first is the one to report, and nothing is written after it.
      }
      throw this.#failure;
    }
  }

  #append(tree: CompactTree, request: AppendRequest): AppendResult {
    const { entry, keys = [], consume, counters = [], evidence = [] } = request;
    const raised = new Map<string, Decimal>();
    const exhausted = this.#raiseCounters(counters, raised);
    if (consume !== undefined && this.#isReplay(consume, exhausted !== undefined))
      return { kind: 'replayed' };
    if (exhausted !== undefined) return { kind: 'exhausted', key: exhausted };
    for (const [key, total] of raised) this.#statements.setCounter.run(key, formatDecimal(total));

    const index = tree.size;
    const leaf = leafHash(entry);
    this.#statements.addEntry.run(index, leaf, entry);
    for (const { level, index: at, hash } of tree.append(leaf)) {
      if (level > 0) this.#statements.addNode.run(level, at, hash);
    }
    for (const key of keys) this.#statements.addKey.run(key, index);
    for (const { address, bytes } of evidence) this.#addEvidence(address, bytes);
    return { kind: 'appended', index };
  }

  /** Marks the id as consumed, unless `checkOnly`. A replay is known by id alone, whatever expiry it claims. */
  #isReplay({ id, expiresAtSeconds }: { id: string; expiresAtSeconds: number }, checkOnly: boolean): boolean {
    const expires = Math.ceil(expiresAtSeconds);
    // INVARIANT: ids that expire at or below the floor may have been forgotten, so none of them counts as fresh,
    // wherever the clock stands now.
    if (expires <= this.#consumedFloor) return true;
    if (checkOnly) return this.#statements.findConsumed.get(id) !== undefined;
    return this.#statements.addConsumed.run(id, expires).changes === 0;
  }

  /** Fills `raised` with the new totals; the key of the first counter that would pass its limit, if any. */
  #raiseCounters(
    counters: NonNullable<AppendRequest['counters']>,
    raised: Map<string, Decimal>,
  ): string | undefined {
    for (const { key, limit, amount } of counters) {
      const total = add(raised.get(key) ?? this.#readCounter(key), decimalOf(amount));
      if (exceeds(total, decimalOf(limit))) return key;
      raised.set(key, total);
    }
    return undefined;
  }

  #readCounter(key: string): Decimal {
    const stored = this.#statements.getCounter.get(key)?.total;
    if (stored === undefined) return ZERO;
    const total = typeof stored === 'string' ? parseDecimal(stored) : undefined;
    if (total === undefined) throw logFault('damaged', 'a counter is damaged');
    return total;
  }

  #addEvidence(address: string, bytes: Uint8Array): void {
    if (this.#evidenceSeal === undefined) throw new TypeError('this log was opened without an evidence key');
    if (this.#statements.findEvidence.get(address) !== undefined) return;
    const { wrappedKey, sealed } = this.#evidenceSeal.seal(address, bytes);
    this.#statements.addEvidence.run(address, wrappedKey, sealed);
  }

  /**
   * Forgets the expired among the next `count` ids, within the transaction. Returns the floor to take over once that is
   * committed. There is no index by expiry: it would cost every append more than looking at each id once in a while.
   */
  #forgetExpired(count: number): number {
    const floor = Math.max(this.#consumedFloor, Math.floor(this.#nowSeconds) - CONSUMED_MARGIN_SECONDS);
    const end = this.#statements.skipConsumed.get(this.#purgeCursor, count)?.id;
    const last = typeof end === 'string' ? end : undefined;
    const { changes } =
      last === undefined
        ? this.#statements.forgetAfter.run(this.#purgeCursor, floor)
        : this.#statements.forgetBetween.run(this.#purgeCursor, last, floor);
    this.#purgeCursor = last ?? '';
    if (changes === 0) return this.#consumedFloor;
    this.#statements.setFloor.run(floor);
    return floor;
  }
}

const FAILED = 'the log failed and takes no more entries until it is reopened';

/** Misuse of our own API inside a transaction ends the log too: what it had written of it is not known. */
function failureAfter(error: unknown): LogUnavailable {
  if (error instanceof LogUnavailable) {
    return new LogUnavailable(`${FAILED}: ${error.message}`, { cause: error, fault: error.fault });
  }
  return unavailableBecause(FAILED, error);
}

function prepareStatements(db: DatabaseSync) {
  const prepare = (sql: string): StatementSync => db.prepare(sql);
  return {
    addEntry: prepare('INSERT INTO entry VALUES (?, ?, ?)'),
    addNode: prepare('INSERT INTO node VALUES (?, ?, ?)'),
    addKey: prepare('INSERT OR IGNORE INTO lookup VALUES (?, ?)'),
    setHead: prepare('UPDATE log SET size = ?, root = ?, seal = ? WHERE size = ? AND root = ?'),
    findConsumed: prepare('SELECT 1 FROM consumed WHERE id = ?'),
    addConsumed: prepare('INSERT OR IGNORE INTO consumed VALUES (?, ?)'),
    skipConsumed: prepare('SELECT id FROM consumed WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?'),
    forgetBetween: prepare('DELETE FROM consumed WHERE id > ? AND id <= ? AND expires <= ?'),
    forgetAfter: prepare('DELETE FROM consumed WHERE id > ? AND expires <= ?'),
    setFloor: prepare('UPDATE log SET consumed_floor = ?'),
    getCounter: prepare('SELECT total FROM counter WHERE key = ?'),
    setCounter: prepare(
      'INSERT INTO counter VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET total = excluded.total',
    ),
    findEvidence: prepare('SELECT 1 FROM evidence WHERE address = ?'),
    addEvidence: prepare('INSERT INTO evidence VALUES (?, ?, ?)'),
    eraseEvidence: prepare(
      'UPDATE evidence SET wrapped_key = NULL, sealed = NULL WHERE address = ? AND wrapped_key IS NOT NULL',
    ),
    walPages: prepare('PRAGMA wal_checkpoint(NOOP)'),
  };
}
