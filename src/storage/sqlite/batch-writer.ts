import type { AppendRequest, AppendResult } from '../../tlog/index.ts';

export interface WriterOptions {
  readonly directory: string;
  /** The log's name in its checkpoints. A log keeps the origin it was created with. */
  readonly origin: string;
  /** 32 bytes that only the log's signer can derive (`deriveCommitKey`). */
  readonly commitKey: Uint8Array;
  /** 32 bytes. Without one, a request that brings evidence is refused. */
  readonly evidenceKey?: Uint8Array;
  /** How long to wait for another writer of the same log to finish. By default not at all. */
  readonly lockTimeoutMs?: number;
}

export interface Head {
  readonly size: number;
  readonly rootHash: Uint8Array;
}

export interface OpenedHead extends Head {
  /** Whether this log's writer committed it. If not, only a signed checkpoint can vouch for it. */
  readonly isSealed: boolean;
}

export interface BatchOutcome {
  /** One per request, in their order. */
  readonly results: readonly AppendResult[];
  /** The durable head that contains them. */
  readonly head: Head;
}

/** The one writer of a log, wherever it runs. After any rejection every later call rejects too. */
export interface BatchWriter {
  /** The head found when the log was opened. */
  readonly opened: OpenedHead;
  /** Called once if the writer fails on its own, between calls. */
  onFailure: ((reason: Error) => void) | undefined;
  /** Resolves when the batch is durable; earlier requests of a batch count for later ones. */
  commit(requests: readonly AppendRequest[], nowSeconds: number): Promise<BatchOutcome>;
  /** At how many of these addresses there was evidence to forget. One transaction. */
  eraseEvidence(addresses: readonly string[]): Promise<number>;
  close(): Promise<void>;
}
