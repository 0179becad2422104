interface Waiter {
  readonly index: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Callers that wait until a published checkpoint covers their entry. */
export class PublicationWaiters {
  readonly #waiting = new Set<Waiter>();

  /** Rejects with the signal's reason when the caller gives up. */
  wait(index: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const end = () => {
        this.#waiting.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        index,
        resolve: () => {
          end();
          resolve();
        },
        reject: (reason) => {
          end();
          reject(reason);
        },
      };
      const onAbort = () => waiter.reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiter);
    });
  }

  resolveBelow(size: number): void {
    for (const waiter of this.#waiting) if (waiter.index < size) waiter.resolve();
  }

  reject(reason: Error): void {
    for (const waiter of this.#waiting) waiter.reject(reason);
  }
}
