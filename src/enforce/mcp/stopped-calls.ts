import type { RequestId } from './message.ts';

/**
 * Calls that were stopped while the upstream had them. It is told by `notifications/cancelled`, which it may heed or
 * not, and need not answer; only an answer shows that it is done.
 *
 * INVARIANT: a call that was stopped has been answered, or its process killed, when its grace is over.
 */
export class StoppedCalls {
  readonly #graceMs: number;
  readonly #kill: () => void;
  readonly #timers = new Map<RequestId, NodeJS.Timeout>();

  /** @param graceMs infinite where the upstream is trusted to heed the cancellation. */
  constructor(graceMs: number, kill: () => void) {
    this.#graceMs = graceMs;
    this.#kill = kill;
  }

  add(id: RequestId): void {
    if (this.#graceMs === Number.POSITIVE_INFINITY || this.#timers.has(id)) return;
    this.#timers.set(id, setTimeout(() => this.#kill(), this.#graceMs).unref());
  }

  answered(id: RequestId): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  /** The upstream is gone, and what it ran with it. */
  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
