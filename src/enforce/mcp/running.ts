/** Work that has been started and not waited for: a session ends when all of it has. */
export class Running {
  readonly #promises = new Set<Promise<void>>();

  /** @param work never rejects. */
  track(work: Promise<void>): void {
    this.#promises.add(work);
    void work.finally(() => this.#promises.delete(work));
  }

  get isIdle(): boolean {
    return this.#promises.size === 0;
  }

  async idle(): Promise<void> {
    while (this.#promises.size > 0) await Promise.all(this.#promises);
  }
}
