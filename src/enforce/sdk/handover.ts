/** Hands items from one side to the other, one at a time: the giver waits for somebody to take what it has. */
export class Handover<T> {
  #taker: PromiseWithResolvers<{ readonly item: T } | undefined> | undefined;
  #giver: { readonly item: T; readonly taken: PromiseWithResolvers<void> } | undefined;
  #hasEnded = false;

  /** Resolves when the item is taken; rejects when the signal is aborted before. */
  async give(item: T, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#taker !== undefined) {
      this.#taker.resolve({ item });
      this.#taker = undefined;
      return;
    }
    const taken = Promise.withResolvers<void>();
    this.#giver = { item, taken };
    const onAbort = (): void => taken.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await taken.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** The next item; undefined when there will be none. */
  take(): Promise<{ readonly item: T } | undefined> {
    const giver = this.#giver;
    if (giver !== undefined && !this.#hasEnded) {
      this.#giver = undefined;
      giver.taken.resolve();
      return Promise.resolve({ item: giver.item });
    }
    if (this.#hasEnded) return Promise.resolve(undefined);
    this.#taker = Promise.withResolvers();
    return this.#taker.promise;
  }

  /** What was given and not taken is withheld: whoever reads on learns how it ended instead. */
  end(): void {
    this.#hasEnded = true;
    this.#taker?.resolve(undefined);
    this.#taker = undefined;
  }
}
