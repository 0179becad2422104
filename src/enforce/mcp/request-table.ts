import type { RequestId } from './message.ts';

/**
 * Requests in flight in one direction, by id, and the ids that were given up but may still be answered.
 *
 * INVARIANT: an id is in flight once (MCP: the requestor MUST NOT reuse ids). An id given up stays taken until it is
 * answered, so that a late answer is never read as the answer to another request.
 */
export class RequestTable<T extends { readonly bytes: number }> {
  readonly #open = new Map<RequestId, T>();
  readonly #abandoned = new Set<RequestId>();
  readonly #maxOpen: number;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxOpen: number, maxBytes: number) {
    this.#maxOpen = maxOpen;
    this.#maxBytes = maxBytes;
  }

  get isFull(): boolean {
    return this.#open.size >= this.#maxOpen || this.#bytes >= this.#maxBytes;
  }

  isTaken(id: RequestId): boolean {
    return this.#open.has(id) || this.#abandoned.has(id);
  }

  get(id: RequestId): T | undefined {
    return this.#open.get(id);
  }

  add(id: RequestId, entry: T): void {
    this.#open.set(id, entry);
    this.#bytes += entry.bytes;
  }

  close(id: RequestId): void {
    this.#bytes -= this.#open.get(id)?.bytes ?? 0;
    this.#open.delete(id);
  }

  /** Gives the request up; the oldest given-up ids are forgotten beyond the table's own bound. */
  abandon(id: RequestId): void {
    this.close(id);
    this.#abandoned.add(id);
    if (this.#abandoned.size <= this.#maxOpen) return;
    const [oldest] = this.#abandoned;
    if (oldest !== undefined) this.#abandoned.delete(oldest);
  }

  /** Whether `id` was given up; it is free again afterwards. */
  takeAbandoned(id: RequestId): boolean {
    return this.#abandoned.delete(id);
  }

  entries(): T[] {
    return [...this.#open.values()];
  }
}
