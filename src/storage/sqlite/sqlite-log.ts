import type { Signer } from '../../key/index.ts';
import {
  type Acknowledgement,
  type AppendRequest,
  type AppendResult,
  type CheckpointCosigner,
  type Log,
  type LogProgress,
  LogUnavailable,
  QuorumUnmet,
} from '../../tlog/index.ts';
import { checkAppendRequest } from '../append-request.ts';
import { unavailableBecause } from '../driver-fault.ts';
import type { BatchWriter, Head, WriterOptions } from './batch-writer.ts';
import { CheckpointPublisher } from './checkpoint-publisher.ts';
import { type EvidenceState, SqliteLogReader } from './log-reader.ts';
import { PublicationWaiters } from './publication-waiters.ts';

const DEFAULT_PUBLISH_INTERVAL_MS = 1_000;
/** Longest pause before witnesses that could not be had are asked again. */
const MAX_RETRY_MS = 30_000;

/** A turn that takes longer hands over what it has appended so far: the writer's thread need not wait for its end. */
const MAX_GATHERING_MS = 1;

export interface SqliteLogOptions extends Omit<WriterOptions, 'commitKey'> {
  /** Signs checkpoints, as the key named by the origin; deterministically, as RFC 8032 has it. */
  readonly signer: Signer;
  /** How long an entry may wait for a published checkpoint that covers it. 1000 by default. */
  readonly publishIntervalMs?: number;
  /** Gets checkpoints cosigned; then nothing is published without what its policy asks for. */
  readonly cosigner?: CheckpointCosigner;
  /** Wall time, by which consumed ids are forgotten. */
  readonly clock?: { wallMs(): number };
}

interface Pending {
  readonly request: AppendRequest;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (reason: Error) => void;
}

/** A log in one SQLite database, published beside it as tiles and a signed checkpoint. */
export class SqliteLog implements Log {
  readonly origin: string;
  readonly #writer: BatchWriter;
  readonly #reader: SqliteLogReader;
  readonly #publisher: CheckpointPublisher;
  readonly #publishIntervalMs: number;
  readonly #sealsEvidence: boolean;
  readonly #nowSeconds: () => number;
  #pending: Pending[] = [];
  #gatheringSinceMs = 0;
  #lastCommit: Promise<void> = Promise.resolve();
  #head: Head;
  #timer: NodeJS.Timeout | undefined;
  /** Since when at the latest something durable has waited for publication. */
  #waitingSinceMs: number | undefined;
  /** Publications in a row that witnesses held up. */
  #unmet = 0;
  readonly #waiters = new PublicationWaiters();
  #failure: LogUnavailable | undefined;
  /** Told once, when the log fails; not when it is closed. */
  onFailure: ((failure: LogUnavailable) => void) | undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: SqliteLogOptions, writer: BatchWriter, reader: SqliteLogReader) {
    const { directory, origin, signer, clock, cosigner } = options;
    this.origin = origin;
    this.#writer = writer;
    this.#reader = reader;
    this.#publisher = new CheckpointPublisher({
      directory,
      origin,
      signer,
      source: reader,
      ...(cosigner && { cosigner }),
    });
    this.#publishIntervalMs = options.publishIntervalMs ?? DEFAULT_PUBLISH_INTERVAL_MS;
    this.#sealsEvidence = options.evidenceKey !== undefined;
    this.#nowSeconds = () => (clock?.wallMs() ?? Date.now()) / 1_000;
    this.#head = writer.opened;
    writer.onFailure = (reason) => this.#fail(reason);
  }

  /** Takes over `writer`, and closes it when the log turns out not to be usable. */
  static async open(options: SqliteLogOptions, writer: BatchWriter): Promise<SqliteLog> {
    let reader: SqliteLogReader | undefined;
    try {
      reader = new SqliteLogReader(options.directory);
      const log = new SqliteLog(options, writer, reader);
      await log.#publisher.resume(writer.opened);
      log.#noteWaiting();
      log.#schedulePublication();
      return log;
    } catch (error) {
      reader?.close();
      await writer.close();
      throw error;
    }
  }

  /** Why nothing is appended any more, if so. */
  get failure(): LogUnavailable | undefined {
    return this.#failure;
  }

  head(): Head {
    return this.#head;
  }

  read(start: number, count: number): Uint8Array[] {
    return this.#reader.read(start, count);
  }

  lookup(key: string): number[] {
    return this.#reader.lookup(key);
  }

  inclusionProof(index: number, size: number): Uint8Array[] {
    return this.#reader.inclusionProof(index, size);
  }

  consistencyProof(size1: number, size2: number): Uint8Array[] {
    return this.#reader.consistencyProof(size1, size2);
  }

  readEvidence(address: string, evidenceKey: Uint8Array): Uint8Array | undefined {
    return this.#reader.readEvidence(address, evidenceKey);
  }

  evidenceState(address: string): EvidenceState {
    return this.#reader.evidenceState(address);
  }

  /** Forgets a blob for good: its key is overwritten, the log is untouched. False when there was nothing to forget. */
  async eraseEvidence(address: string): Promise<boolean> {
    return (await this.eraseAllEvidence([address])) > 0;
  }

  /** The same for many blobs, in one transaction; how many there were to forget. */
  async eraseAllEvidence(addresses: readonly string[]): Promise<number> {
    this.#checkUsable();
    this.#flush();
    return this.#writer.eraseEvidence(addresses);
  }

  append(request: AppendRequest): Promise<AppendResult> {
    return new Promise((resolve, reject) => {
      this.#checkUsable();
      checkAppendRequest(request);
      if (request.evidence?.length && !this.#sealsEvidence) {
        throw new TypeError('this log was opened without an evidence key');
      }
      // Appends of one turn travel together, so that callers who run side by side share one fsync.
      const nowMs = performance.now();
      if (this.#pending.length === 0) {
        this.#gatheringSinceMs = nowMs;
        setImmediate(() => this.#flush());
      }
      this.#pending.push({ request, resolve, reject });
      if (nowMs - this.#gatheringSinceMs >= MAX_GATHERING_MS) this.#flush();
    });
  }

  async checkpoint(): Promise<string> {
    this.#checkUsable();
    this.#flush();
    await this.#lastCommit;
    this.#checkUsable();
    return this.#publish();
  }

  async acknowledged(index: number, level: Acknowledgement, signal?: AbortSignal): Promise<void> {
    this.#checkUsable();
    if (!(index >= 0 && index < this.#head.size)) throw new TypeError(`there is no entry ${index}`);
    if (level === 'witnessed' && !this.#publisher.isWitnessed) {
      throw new TypeError('this log has no witness policy');
    }
    if (level === 'durable' || index < this.#publisher.publishedSize) return;
    await this.#waiters.wait(index, signal);
  }

  progress(): LogProgress {
    const included = Math.max(0, this.#publisher.publishedSize);
    return {
      durable: this.#head.size,
      included,
      witnessed: this.#publisher.isWitnessed ? included : undefined,
      waitingMs: this.#waitingSinceMs === undefined ? 0 : performance.now() - this.#waitingSinceMs,
    };
  }

  /** Commits and publishes what is outstanding, then gives the log up. Resolves even after a failure. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#flush();
    await this.#lastCommit;
    // Witnesses that just could not be had are not waited for once more: the next writer asks them.
    const isWorthwhile = this.#failure === undefined && this.#unmet === 0 && this.#isUnpublished();
    if (isWorthwhile) await this.#publish().catch(() => undefined);
    // One that is under way when the log fails would meet whoever opens the log next.
    else if (this.#failure !== undefined) await this.#publisher.idle();
    this.#failure ??= new LogUnavailable('the log is closed');
    this.#waiters.reject(this.#failure);
    this.#reader.close();
    await this.#writer.close();
  }

  #flush(): void {
    const batch = this.#pending;
    if (batch.length === 0) return;
    this.#pending = [];
    const requests = batch.map(({ request }) => request);
    this.#lastCommit = this.#writer.commit(requests, this.#nowSeconds()).then(
      ({ results, head }) => {
        this.#head = head;
        this.#noteWaiting();
        for (const [at, { resolve, reject }] of batch.entries()) {
          const result = results[at];
          if (result === undefined) reject(new LogUnavailable('the writer left a request unanswered'));
          else resolve(result);
        }
        this.#schedulePublication();
      },
      (error: unknown) => {
        const failure = this.#fail(error);
        for (const { reject } of batch) reject(failure);
      },
    );
  }

  #isUnpublished(): boolean {
    return this.#publisher.publishedSize < this.#head.size;
  }

  /** An empty log waits for nothing. */
  #noteWaiting(sinceMs = performance.now()): void {
    if (this.#head.size > 0 && this.#isUnpublished()) this.#waitingSinceMs ??= sinceMs;
  }

  #schedulePublication(): void {
    if (this.#timer !== undefined || this.#failure !== undefined || !this.#isUnpublished()) return;
    const delayMs = this.#publishIntervalMs * 2 ** this.#unmet;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        // A failure is kept: every later call rejects with it.
        this.#publish().then(
          () => this.#schedulePublication(),
          () => this.#schedulePublication(),
        );
      },
      this.#unmet === 0 ? delayMs : Math.min(delayMs, MAX_RETRY_MS),
    );
    this.#timer.unref();
  }

  /**
   * A log that cannot publish fails like one that cannot commit: nobody could check what it goes on to say. Not so where
   * only its witnesses are missing: what is appended stays durable, and publication goes on when they are back.
   */
  async #publish(): Promise<string> {
    const startedMs = performance.now();
    try {
      const note = await this.#publisher.publish(() => this.#head);
      this.#unmet = 0;
      this.#waitingSinceMs = undefined;
      this.#noteWaiting(startedMs);
      this.#waiters.resolveBelow(this.#publisher.publishedSize);
      return note;
    } catch (error) {
      if (!(error instanceof QuorumUnmet)) throw this.#fail(error);
      this.#unmet += 1;
      this.#schedulePublication();
      throw error;
    }
  }

  #checkUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing !== undefined) throw new LogUnavailable('the log is closed');
  }

  #fail(error: unknown): LogUnavailable {
    clearTimeout(this.#timer);
    if (this.#failure !== undefined) return this.#failure;
    this.#failure = unavailableBecause('the log failed', error);
    this.#waiters.reject(this.#failure);
    this.onFailure?.(this.#failure);
    return this.#failure;
  }
}
