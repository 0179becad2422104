import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { foldGovernance, GovernanceState } from '../../governance/index.ts';
import type { CheckedGovernance } from '../../receipt/index.ts';

const MAX_STATES = 64;

/** States by the root of what they are the fold of, so that bundles of one domain are folded once. */
export class GovernanceStates {
  readonly #states = new Map<string, GovernanceState>();

  find(rootHash: string): GovernanceState | undefined {
    return this.#states.get(rootHash);
  }

  add(rootHash: string, state: GovernanceState): void {
    if (this.#states.size >= MAX_STATES) this.#states.clear();
    this.#states.set(rootHash, state);
  }
}

/** The governance log of one bundle, folded as far as it is asked for. INVARIANT: only what a root vouches for is folded. */
export class FoldedGovernance {
  readonly #checked: CheckedGovernance;
  readonly #states: GovernanceStates;
  #newest = GovernanceState.empty;

  constructor(checked: CheckedGovernance, states: GovernanceStates) {
    this.#checked = checked;
    this.#states = states;
  }

  at(size: number): GovernanceState | Denial {
    const rootHash = this.#checked.rootAt(size);
    if (rootHash === undefined) return deny('revocation.stale', `it has no root at ${size}`);
    const known = this.#states.find(rootHash);
    if (known !== undefined) {
      if (known.epoch > this.#newest.epoch) this.#newest = known;
      return known;
    }
    const from = this.#newest.epoch <= size ? this.#newest : GovernanceState.empty;
    const state = foldGovernance(this.#checked.entries.slice(from.epoch, size), from);
    if (isDenial(state)) return state;
    this.#states.add(rootHash, state);
    if (state.epoch > this.#newest.epoch) this.#newest = state;
    return state;
  }
}
