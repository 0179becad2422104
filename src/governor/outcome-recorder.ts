import type { AppendRequest, Log } from '../tlog/index.ts';

/** How long an outcome may wait for a decision to share a commit with. */
const MAX_WAIT_MS = 10;

/**
 * Records outcomes beside the decisions: one that waits for the next decision costs no commit of its own, and the next
 * decision never waits for one. Callers don't wait at all: an execution whose outcome was lost with the process counts
 * as unknown, which is what it then is. Where only the log was lost, it gets them when it is back.
 */
export class OutcomeRecorder {
  readonly #log: Log;
  readonly #appending = new Set<Promise<unknown>>();
  #waiting: AppendRequest[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  record(request: AppendRequest): void {
    this.#waiting.push(request);
    this.#timer ??= setTimeout(() => this.flush(), MAX_WAIT_MS);
  }

  /** Hands over what waits. To be called in the turn in which a decision is appended: they share its commit. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const request of this.#waiting.splice(0)) {
      const appended = this.#log.append(request).catch(() => this.#log.keep?.(request));
      this.#appending.add(appended);
      void appended.then(() => this.#appending.delete(appended));
    }
  }

  /** Resolves when every outcome so far is durable, or known not to become so. */
  async settle(): Promise<void> {
    this.flush();
    await Promise.all(this.#appending);
  }
}
