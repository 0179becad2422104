const MAX_REMEMBERED = 100_000;

/**
 * Ids of assertions that were used, until they have expired, whatever came of it. In memory: over a restart, those that an
 * artifact was issued for are known by that, from the governance log.
 */
export class UsedAssertions {
  /** When each expires, Unix seconds, in order of use. */
  readonly #used = new Map<string, number>();

  /** @returns false where it was used before, or too many are remembered to tell. */
  use(subject: string, jti: string, expSeconds: number, nowSeconds: number): boolean {
    const name = JSON.stringify([subject, jti]);
    if (this.#used.has(name)) return false;
    if (this.#used.size >= MAX_REMEMBERED) {
      for (const [old, exp] of this.#used) if (exp <= nowSeconds) this.#used.delete(old);
      if (this.#used.size >= MAX_REMEMBERED) return false;
    }
    this.#used.set(name, expSeconds);
    return true;
  }
}
