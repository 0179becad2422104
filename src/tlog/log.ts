import { LOG_FAULTS, type LogFault } from './log-fault.ts';

/** What readers of a log need. Drivers live in src/storage. */
export interface LogReader {
  /** Size and root of everything durable. */
  head(): { readonly size: number; readonly rootHash: Uint8Array };
  /** At most `count` entries from index `start` on; fewer at the end of the log. */
  read(start: number, count: number): Uint8Array[];
  /** Indices of the entries appended under an index key, ascending. */
  lookup(key: string): number[];
  inclusionProof(index: number, size: number): Uint8Array[];
  consistencyProof(size1: number, size2: number): Uint8Array[];
}

/** An entry and everything that must become durable with it or not at all. */
export interface AppendRequest {
  /** At most 65535 bytes (the length prefix of an entry bundle). */
  readonly entry: Uint8Array;
  /** Index keys under which `lookup` finds the entry. */
  readonly keys?: readonly string[];
  /** A single-use identifier; the append is `replayed` if it was consumed before and has not expired. */
  readonly consume?: { readonly id: string; readonly expiresAtSeconds: number };
  /** Counters to raise; the append is `exhausted` if one of them would pass its limit. */
  readonly counters?: readonly { readonly key: string; readonly limit: number; readonly amount: number }[];
  readonly evidence?: readonly { readonly address: string; readonly bytes: Uint8Array }[];
}

export type AppendResult =
  | { readonly kind: 'appended'; readonly index: number }
  | { readonly kind: 'replayed' }
  | { readonly kind: 'exhausted'; readonly key: string };

/**
 * How far an entry has come (DESIGN §6). `included`: a signed checkpoint that covers it is published. `witnessed`: that
 * checkpoint carries the cosignatures which the log's witness policy asks for; with a policy nothing else is published.
 */
export type Acknowledgement = 'durable' | 'included' | 'witnessed';

/** How many entries have come how far, and how long publication is behind. */
export interface LogProgress {
  readonly durable: number;
  /** Under a published checkpoint that the witness policy of now accepts. */
  readonly included: number;
  /** Undefined without a witness policy; with one, nothing else is published, so that it is what is included. */
  readonly witnessed: number | undefined;
  /** At most how long the oldest entry that is not included has been durable, milliseconds; 0 where there is none. */
  readonly waitingMs: number;
}

export interface Log extends LogReader {
  /** Resolves when durable. Rejects with `LogUnavailable` once the writer is poisoned. */
  append(request: AppendRequest): Promise<AppendResult>;
  /**
   * Takes what could not be appended and should not be lost while this process lives. A log that comes back is given it
   * before anything else, unless it has an entry under the request's first index key by then. Others have no such thing.
   */
  keep?(request: AppendRequest): void;
  /** Why nothing can be appended now, where it knows. */
  readonly failure?: LogUnavailable | undefined;
  /**
   * A signed note that covers everything appended so far, published before it is returned. Rejects with `QuorumUnmet`
   * while the witnesses of the log's policy cannot be had.
   */
  checkpoint(): Promise<string>;
  /**
   * Resolves when an appended entry is acknowledged at a level, however long that takes; rejects when the log fails or is
   * closed first, or `signal` is aborted, and with `TypeError` where there is no such entry or no witness policy.
   */
  acknowledged(index: number, level: Acknowledgement, signal?: AbortSignal): Promise<void>;
  /** Of this moment, from memory. */
  progress(): LogProgress;
  close(): Promise<void>;
}

/** The log cannot vouch for what it stores: after a failed commit or fsync, a fork, or damage. Never retried. */
export class LogUnavailable extends Error {
  override readonly name = 'LogUnavailable';
  readonly fault: LogFault;

  constructor(message: string, options: ErrorOptions & { readonly fault?: LogFault } = {}) {
    super(message, options);
    this.fault = options.fault ?? 'failed';
  }
}

/** A log found to have a fault, told with what to do about it. */
export function logFault(fault: LogFault, problem: string, options: ErrorOptions = {}): LogUnavailable {
  return new LogUnavailable(`${problem}; ${LOG_FAULTS[fault]}`, { ...options, fault });
}
