import { isDenial } from '../../denial/index.ts';
import { type GovernanceState, REQUEST_SECONDS } from '../../governance/index.ts';
import { type DecisionReceipt, parseDecisionReceipt } from '../../receipt/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../../storage/index.ts';
import type { Clock } from '../clock.ts';
import type { GovernanceFollower } from '../governance-follower.ts';
import type { Home } from '../home.ts';
import { type ApprovalRequest, type RequestStatus, requestOfReceipt } from './approval-request.ts';

/** What becomes of a request. Of one that was asked for again while it waited, nothing more is told than of one. */
export type ApprovalChange = 'requested' | 'granted' | 'rejected' | 'expired';

export interface ApprovalWatchPorts {
  readonly home: Home;
  readonly clock: Clock;
  readonly follower: GovernanceFollower;
  /** Names of the execution logs that the domain has enrolled and that are here. */
  readonly logs: () => readonly string[];
  readonly tell: (change: ApprovalChange, request: ApprovalRequest) => void;
  /** A request that is not watched, because so many are. */
  readonly onOverflow: () => void;
  /** A log that cannot be read now: the others are followed all the same, and it is looked at again. */
  readonly onUnreadable: (log: string) => void;
}

interface Watched {
  readonly log: string;
  readonly index: number;
  readonly receipt: DecisionReceipt;
  readonly status: RequestStatus;
}

const MAX_WATCHED = 1000;
const BATCH = 512;
/** Entries looked at in one step, so that nothing else waits for it long. */
const MAX_ENTRIES = 2048;
/** Only receipts of requests have it; most entries need not be parsed. */
const MARK = Buffer.from('"requestExpiresAtMs"');

/**
 * Follows what waits for approval in the execution logs of a domain: a view of them, and nothing that a decision
 * depends on. Looks when it is told to (`step`).
 */
export class ApprovalWatch {
  readonly #ports: ApprovalWatchPorts;
  readonly #readers = new Map<string, SqliteLogReader>();
  readonly #seen = new Map<string, number>();
  /** By action: approvals are of the action. */
  readonly #watched = new Map<string, Watched>();

  /** From here on, what the logs gain is news. */
  constructor(ports: ApprovalWatchPorts) {
    this.#ports = ports;
    this.findLogs(true);
  }

  get size(): number {
    return this.#watched.size;
  }

  /** @param skips what they hold already is no news. */
  findLogs(skips = false): void {
    const { home, logs } = this.#ports;
    for (const log of logs()) {
      if (this.#readers.has(log)) continue;
      let reader: SqliteLogReader | undefined;
      try {
        reader = openSqliteLogReader(home.executionLogFolder(log));
        this.#seen.set(log, skips ? reader.head().size : 0);
        this.#readers.set(log, reader);
      } catch {
        reader?.close();
        this.#ports.onUnreadable(log);
      }
    }
  }

  /** Looks at what is new, and at what has become of what waits. */
  step(): void {
    const { state } = this.#ports.follower.refresh();
    let left = MAX_ENTRIES;
    for (const [log, reader] of this.#readers) {
      try {
        left = this.#readNew(log, reader, state, left);
      } catch {
        this.#ports.onUnreadable(log);
      }
    }
    for (const [action, { log }] of [...this.#watched]) {
      try {
        this.#follow(action, state);
      } catch {
        this.#ports.onUnreadable(log);
      }
    }
  }

  /** @returns how many entries may still be looked at. */
  #readNew(log: string, reader: SqliteLogReader, state: GovernanceState, most: number): number {
    let left = most;
    const { size } = reader.head();
    for (let seen = this.#seen.get(log) ?? 0; seen < size && left > 0; ) {
      const entries = reader.read(seen, Math.min(BATCH, size - seen, left));
      if (entries.length === 0) break;
      for (const [offset, entry] of entries.entries()) this.#look(log, seen + offset, entry, state);
      seen += entries.length;
      left -= entries.length;
      this.#seen.set(log, seen);
    }
    return left;
  }

  close(): void {
    for (const reader of this.#readers.values()) reader.close();
    this.#readers.clear();
    this.#watched.clear();
  }

  #look(log: string, index: number, entry: Uint8Array, state: GovernanceState): void {
    if (!Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength).includes(MARK)) return;
    const receipt = parseDecisionReceipt(entry);
    const action = isDenial(receipt) ? undefined : receipt.approvals?.action;
    if (isDenial(receipt) || action === undefined) return;
    // What was asked for before may have run in the meantime: then this is another request.
    this.#follow(action, state);
    const known = this.#watched.get(action);
    if (known !== undefined) {
      this.#watched.set(action, { ...known, log, index, receipt });
      return;
    }
    const request = this.#request({ log, index, receipt }, state);
    if (request !== undefined) this.begin(request);
  }

  /** Tells of a request, and of what becomes of it. One of a time before anybody could still wait is no news. */
  begin(request: ApprovalRequest): void {
    const { log, index, receipt, status } = request;
    const action = receipt.approvals?.action;
    if (action === undefined || this.#watched.has(action)) return;
    const isOld = receipt.atMs < this.#ports.clock.wallMs() - REQUEST_SECONDS * 1000;
    if (status === 'expired' || (isOld && status !== 'open' && status !== 'approved')) return;
    if (this.#watched.size >= MAX_WATCHED) {
      this.#ports.onOverflow();
      return;
    }
    this.#watched.set(action, { log, index, receipt, status: 'open' });
    this.#ports.tell('requested', request);
    this.#moveTo(action, request);
  }

  #follow(action: string, state: GovernanceState): void {
    const watched = this.#watched.get(action);
    const request = watched && this.#request(watched, state);
    if (request === undefined) this.#watched.delete(action);
    else this.#moveTo(action, request);
  }

  #moveTo(action: string, request: ApprovalRequest): void {
    const { status } = request;
    const watched = this.#watched.get(action);
    if (watched === undefined || watched.status === status) return;
    const { tell } = this.#ports;
    if (status === 'open' || status === 'approved') this.#watched.set(action, { ...watched, status });
    else this.#watched.delete(action);
    // What ran between two looks had been approved.
    if (status === 'approved' || (status === 'used' && watched.status === 'open')) tell('granted', request);
    else if (status === 'rejected' || status === 'expired') tell(status, request);
  }

  #request(
    at: { readonly log: string; readonly index: number; readonly receipt: DecisionReceipt },
    state: GovernanceState,
  ): ApprovalRequest | undefined {
    const reader = this.#readers.get(at.log);
    return reader && requestOfReceipt(at, reader, state, this.#ports.clock.wallMs());
  }
}
