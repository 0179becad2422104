import type { Signer } from '../../key/index.ts';
import {
  type Acknowledgement,
  type AppendRequest,
  type AppendResult,
  formatCheckpoint,
  type Log,
  LogUnavailable,
  leafHash,
  MerkleTree,
  noteSigner,
  signNote,
} from '../../tlog/index.ts';
import { checkAppendRequest } from '../append-request.ts';
import { add, type Decimal, decimalOf, exceeds, ZERO } from '../decimal.ts';

export interface MemoryLogOptions {
  readonly origin: string;
  readonly signer: Signer;
}

/** A log that lasts as long as its process: for tests and for trying things out. It stores no evidence. */
export function openMemoryLog(options: MemoryLogOptions): Log {
  return new MemoryLog(options);
}

class MemoryLog implements Log {
  readonly #options: MemoryLogOptions;
  readonly #tree = new MerkleTree();
  readonly #entries: Uint8Array[] = [];
  readonly #indices = new Map<string, number[]>();
  readonly #consumed = new Set<string>();
  readonly #totals = new Map<string, Decimal>();
  #closed = false;

  constructor(options: MemoryLogOptions) {
    this.#options = options;
  }

  async append(request: AppendRequest): Promise<AppendResult> {
    this.#checkOpen();
    checkAppendRequest(request);
    const { entry, keys = [], consume, counters = [] } = request;
    if (consume !== undefined && this.#consumed.has(consume.id)) return { kind: 'replayed' };
    const raised = new Map<string, Decimal>();
    for (const { key, limit, amount } of counters) {
      const total = add(raised.get(key) ?? this.#totals.get(key) ?? ZERO, decimalOf(amount));
      if (exceeds(total, decimalOf(limit))) return { kind: 'exhausted', key };
      raised.set(key, total);
    }
    if (consume !== undefined) this.#consumed.add(consume.id);
    for (const [key, total] of raised) this.#totals.set(key, total);
    const index = this.#entries.push(Uint8Array.from(entry)) - 1;
    this.#tree.append(leafHash(entry));
    for (const key of new Set(keys)) {
      const indices = this.#indices.get(key);
      if (indices === undefined) this.#indices.set(key, [index]);
      else indices.push(index);
    }
    return { kind: 'appended', index };
  }

  head() {
    return { size: this.#tree.size, rootHash: this.#tree.root() };
  }

  read(start: number, count: number): Uint8Array[] {
    return this.#entries.slice(start, start + count).map((entry) => Uint8Array.from(entry));
  }

  lookup(key: string): number[] {
    return [...(this.#indices.get(key) ?? [])];
  }

  inclusionProof(index: number, size: number): Uint8Array[] {
    return this.#tree.inclusionProof(index, size);
  }

  consistencyProof(size1: number, size2: number): Uint8Array[] {
    return this.#tree.consistencyProof(size1, size2);
  }

  async checkpoint(): Promise<string> {
    this.#checkOpen();
    const { origin, signer } = this.#options;
    return signNote(formatCheckpoint({ origin, ...this.head() }), [noteSigner(origin, signer)]);
  }

  /** A checkpoint of it is made when it is asked for: whatever is appended counts as included. */
  async acknowledged(index: number, level: Acknowledgement): Promise<void> {
    this.#checkOpen();
    if (index < 0 || index >= this.#entries.length) throw new TypeError(`there is no entry ${index}`);
    if (level === 'witnessed') throw new TypeError('this log has no witness policy');
  }

  progress() {
    const { size } = this.#tree;
    return { durable: size, included: size, witnessed: undefined, waitingMs: 0 };
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #checkOpen(): void {
    if (this.#closed) throw new LogUnavailable('the log is closed');
  }
}
