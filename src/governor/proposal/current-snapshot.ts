import type { Snapshot } from '../../decision/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { DecisionReceipt } from '../../receipt/index.ts';
import type { GovernanceView } from '../governance-follower.ts';
import { isMissing } from '../replay/inputs-of-receipt.ts';
import { DecisionInputs, type DecisionSources, type RecordedInputs } from '../replay/recorded-inputs.ts';

/** A recorded call, and what it would be decided on now: governance, policy and time of today, all else as it was. */
export function currentInputs(
  sources: DecisionSources,
  { receipt, index }: { readonly receipt: DecisionReceipt; readonly index: number },
  view: Pick<GovernanceView, 'state' | 'policy'>,
  nowSeconds: number,
): { readonly action: RecordedInputs['action']; readonly snapshot: Snapshot } | Denial {
  const inputs = new DecisionInputs(sources).of(receipt, index);
  if (isMissing(inputs)) return deny('request.malformed', `what was asked is ${inputs}`);
  if (isDenial(inputs)) return inputs;
  const { action, snapshot } = inputs;
  const { measurement } = snapshot;
  return {
    action,
    snapshot: {
      ...snapshot,
      nowSeconds,
      governance: view.state,
      governanceCheckedAtSeconds: nowSeconds,
      policy: view.policy,
      // The enforcement point measures anew when it starts.
      measurement: measurement && { ...measurement, measuredAtSeconds: Math.floor(nowSeconds) },
      replay: 'fresh',
    },
  };
}
