/**
 * A countdown of elementary steps, so that hostile constraints cost bounded time. INVARIANT: running out only ever
 * refuses: no rule concludes anything good from a refusal.
 */
export class Work {
  #remaining: number;

  constructor(steps: number) {
    this.#remaining = steps;
  }

  /** Takes `steps` off; false once more were taken than there were. */
  spend(steps: number): boolean {
    this.#remaining -= steps;
    return this.#remaining >= 0;
  }
}
