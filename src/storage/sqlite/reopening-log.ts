import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Acknowledgement,
  type AppendRequest,
  type AppendResult,
  type Log,
  type LogFault,
  type LogProgress,
  LogUnavailable,
  verifyConsistency,
} from '../../tlog/index.ts';
import { unavailableBecause } from '../driver-fault.ts';
import type { Head } from './batch-writer.ts';
import { openSqliteLog } from './open-log.ts';
import type { SqliteLog, SqliteLogOptions } from './sqlite-log.ts';

export interface ReopeningLogOptions extends SqliteLogOptions {
  /** Pause before it is tried to reopen the log, and between tries. 1000 by default. */
  readonly reopenAfterMs?: number;
  /** Whether there is room to go on; default: the file system has `MIN_FREE_BYTES`. */
  readonly hasRoom?: () => boolean;
}

const DEFAULT_REOPEN_AFTER_MS = 1_000;
const MIN_FREE_BYTES = 4 * 2 ** 20;
/** Another writer, too: it was let in here, and what it did is checked like everything else. */
const WAITED_OUT: ReadonlySet<LogFault> = new Set(['disk_full', 'files_exhausted', 'locked']);
/** Bounds what is kept for when the log is back. */
const MAX_KEPT = 20_000;

/**
 * A log for processes that go on: one whose disk was full is opened again once there is room.
 *
 * INVARIANT: a log that failed is never written again. What goes on is another one, opened from what the disk holds with
 * every check of a start after a crash, and it must extend all that the failed one acknowledged. Nothing but a want
 * of room or of open files is waited out: a disk that failed, damage, or a second writer are for people to look at (DESIGN §6).
 */
export class ReopeningLog implements Log {
  readonly #options: ReopeningLogOptions;
  #log: SqliteLog;
  #failure: LogUnavailable | undefined;
  readonly #kept: AppendRequest[] = [];
  #keeping: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #reopening: Promise<void> = Promise.resolve();
  #closed = false;
  /** Called with the log that is back before anybody else can append to it. */
  onReopened: (() => void) | undefined;

  private constructor(options: ReopeningLogOptions, log: SqliteLog) {
    this.#options = options;
    this.#log = log;
    this.#watch(log);
  }

  /** @throws as `openSqliteLog`. */
  static async open(options: ReopeningLogOptions): Promise<ReopeningLog> {
    return new ReopeningLog(options, await openSqliteLog(options));
  }

  /** Why nothing can be appended now, if so. */
  get failure(): LogUnavailable | undefined {
    return this.#failure;
  }

  /** While it failed: what it had acknowledged. */
  head(): Head {
    return this.#log.head();
  }

  read(start: number, count: number): Uint8Array[] {
    return this.#log.read(start, count);
  }

  lookup(key: string): number[] {
    return this.#log.lookup(key);
  }

  inclusionProof(index: number, size: number): Uint8Array[] {
    return this.#log.inclusionProof(index, size);
  }

  consistencyProof(size1: number, size2: number): Uint8Array[] {
    return this.#log.consistencyProof(size1, size2);
  }

  append(request: AppendRequest): Promise<AppendResult> {
    return this.#failure === undefined ? this.#log.append(request) : Promise.reject(this.#failure);
  }

  keep(request: AppendRequest): void {
    if (this.#closed || !this.#comesBack() || this.#kept.length >= MAX_KEPT) return;
    this.#kept.push(request);
    // It may be back since the append that failed.
    if (this.#failure === undefined) {
      this.#keeping = this.#keeping.then(() => this.#appendKept(this.#log)).catch(() => undefined);
    }
  }

  async checkpoint(): Promise<string> {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#log.checkpoint();
  }

  async acknowledged(index: number, level: Acknowledgement, signal?: AbortSignal): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#log.acknowledged(index, level, signal);
  }

  progress(): LogProgress {
    return this.#log.progress();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#reopening;
    await this.#log.close();
  }

  #watch(log: SqliteLog): void {
    log.onFailure = (failure) => {
      if (this.#closed) return;
      this.#failure = failure;
      this.#tryLater();
    };
  }

  #comesBack(): boolean {
    const fault = this.#failure?.fault;
    return fault === undefined || WAITED_OUT.has(fault);
  }

  #tryLater(): void {
    if (this.#closed || this.#failure === undefined || !this.#comesBack()) return;
    const { reopenAfterMs = DEFAULT_REOPEN_AFTER_MS } = this.#options;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#reopening = this.#reopen().then(() => this.#tryLater());
    }, reopenAfterMs).unref();
  }

  /** Never rejects. Where it fails in another way than before, that is why the log is unavailable from then on. */
  async #reopen(): Promise<void> {
    if (!this.#hasRoom()) return;
    // Gives up the lock; after it, nothing more is acknowledged.
    await this.#log.close();
    const before = this.#log.head();
    let log: SqliteLog | undefined;
    try {
      // Never a new one in its place: it would accept again what the old one has consumed.
      if (!existsSync(join(this.#options.directory, 'log.sqlite'))) {
        throw new LogUnavailable(`${this.#options.directory} does not hold the log any more`);
      }
      log = await openSqliteLog(this.#options);
      if (!extendsHead(log, before)) {
        throw new LogUnavailable('the log does not hold what it has acknowledged; run "writ log verify"', {
          fault: 'rolled_back',
        });
      }
      await this.#appendKept(log);
      if (this.#closed) return;
      this.#log = log;
      this.#failure = log.failure;
      this.#watch(log);
      log = undefined;
      if (this.#failure === undefined) this.onReopened?.();
    } catch (error) {
      this.#failure = unavailableBecause('the log cannot be opened again', error);
    } finally {
      await log?.close();
    }
  }

  async #appendKept(log: SqliteLog): Promise<void> {
    for (let next = this.#kept[0]; next !== undefined; next = this.#kept[0]) {
      const key = next.keys?.[0];
      if (key === undefined || log.lookup(key).length === 0) await log.append(next);
      this.#kept.shift();
    }
  }

  #hasRoom(): boolean {
    const { hasRoom, directory } = this.#options;
    if (hasRoom !== undefined) return hasRoom();
    try {
      const { bavail, bsize } = statfsSync(directory);
      return bavail * bsize >= MIN_FREE_BYTES;
    } catch {
      return false;
    }
  }
}

function extendsHead(log: SqliteLog, { size, rootHash }: Head): boolean {
  const now = log.head();
  if (size === 0 || now.size < size) return size === 0;
  return verifyConsistency({
    size1: size,
    root1: rootHash,
    size2: now.size,
    root2: now.rootHash,
    proof: size === now.size ? [] : log.consistencyProof(size, now.size),
  });
}
