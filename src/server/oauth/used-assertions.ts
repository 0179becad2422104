const MAX_REMEMBERED = 100_000;

/**
 * Ids of assertions that were used, until they have expired. In memory: an assertion that is used again after a restart,
 * within its last minutes, gets what its agent could have asked for anew, bound to the agent's own key.
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
