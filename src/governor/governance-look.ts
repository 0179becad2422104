import type { Clock } from './clock.ts';
import type { GovernanceView } from './governance-follower.ts';

/** What was seen longer ago than this is looked at again, in the same turn too. */
const MAX_SHARED_MS = 20;

/** One look at governance. Later looks have higher numbers. */
export interface Look {
  readonly view: GovernanceView;
  readonly number: number;
}

/** Looks at governance at most once where one look can serve several decisions of a turn: looking costs system calls. */
export class GovernanceLook {
  readonly #governance: { refresh(): GovernanceView };
  readonly #clock: Clock;
  #last: Look | undefined;
  #lastMs = 0;
  #number = 0;

  constructor(governance: { refresh(): GovernanceView }, clock: Clock) {
    this.#governance = governance;
    this.#clock = clock;
  }

  /** Looks now; the rest of this turn may share what is seen. */
  now(): Look {
    if (this.#last === undefined) setImmediate(() => (this.#last = undefined));
    this.#number += 1;
    this.#last = { view: this.#governance.refresh(), number: this.#number };
    this.#lastMs = this.#clock.monotonicMs();
    return this.#last;
  }

  /** What was seen in this turn, a moment ago; undefined where nothing was. */
  shared(): Look | undefined {
    return this.#clock.monotonicMs() - this.#lastMs <= MAX_SHARED_MS ? this.#last : undefined;
  }

  /** A look that is younger than `look`, which others who need one may share. */
  after(look: Look): Look {
    const shared = this.shared();
    return shared !== undefined && shared.number > look.number ? shared : this.now();
  }
}

export function hasMoved(before: Look, now: Look): boolean {
  return now.view.size !== before.view.size || now.view.rootHash !== before.view.rootHash;
}
