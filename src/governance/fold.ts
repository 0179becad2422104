import { type Denial, deny, isDenial } from '../denial/index.ts';
import { parseGovernanceEvent } from './event.ts';
import { GovernanceState } from './state.ts';

/**
 * Folds entries of the governance log, in their order, into a state; from an earlier one when following a log that
 * grows. Costs O(new entries). Denies with `revocation.stale` at the first entry that cannot be read: what is behind it
 * is unknown, and so is the state.
 */
export function foldGovernance(
  entries: Iterable<Uint8Array>,
  from: GovernanceState = GovernanceState.empty,
): GovernanceState | Denial {
  let state = from;
  for (const entry of entries) {
    const event = parseGovernanceEvent(entry);
    if (isDenial(event)) return deny(event.code, `entry ${state.epoch}: ${event.detail}`);
    state = state.apply(event);
  }
  return state;
}
