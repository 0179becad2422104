import type { Missing } from './inputs-of-receipt.ts';

export interface Difference {
  /** Index of the entry in the log. */
  readonly index: number;
  /** Execution id; empty where the receipt cannot be read. */
  readonly id: string;
  readonly difference: string;
}

/** How the decisions of a log came out. The counts are exact; `different` lists the first of those that differ. */
export interface ReplayReport {
  /** Decisions that came out as recorded. */
  readonly same: number;
  /** Decisions that came out otherwise: there must be none. */
  readonly differences: number;
  readonly different: readonly Difference[];
  /** Decisions whose evidence was never kept, or is not given here. */
  readonly withheld: number;
  /** Decisions whose evidence was erased, with a governance event that says so. */
  readonly erased: number;
  /** Decisions whose evidence should be there, is not, and no governance event accounts for that. */
  readonly lost: number;
  /** Decisions that rest on what cannot be derived: what a permit spent whose evidence is not at hand, or what another log showed at that moment. */
  readonly undetermined: number;
}

const MAX_LISTED = 1000;

/** Counts while a log is replayed. */
export class ReplayTally {
  readonly #counts = { same: 0, differences: 0, withheld: 0, erased: 0, lost: 0, undetermined: 0 };
  readonly #different: Difference[] = [];

  count(how: 'same' | 'undetermined' | Missing): void {
    this.#counts[how] += 1;
  }

  differs(difference: Difference): void {
    this.#counts.differences += 1;
    if (this.#different.length < MAX_LISTED) this.#different.push(difference);
  }

  report(): ReplayReport {
    return { ...this.#counts, different: this.#different };
  }
}
