import type { Action, Snapshot } from '../decision/index.ts';
import { isDenial } from '../denial/index.ts';
import { currentInputs, type Home } from '../governor/index.ts';
import type { DecisionReceipt } from '../receipt/index.ts';
import { denied, failure } from './cli-error.ts';
import { readGovernance } from './governance.ts';
import { mustFindExecution } from './receipt-show.ts';
import { openRecorded } from './recorded.ts';

/** A recorded call, and what it would be decided on now; ends the command where that cannot be told. */
export function currentCall(
  home: Home,
  id: string,
  nowSeconds: number,
): { readonly receipt: DecisionReceipt; readonly action: Action; readonly snapshot: Snapshot } {
  const { log, record, reader } = mustFindExecution(home, id);
  reader.close();
  const recorded = openRecorded(home, log);
  try {
    const sources = recorded.wanted.get(log);
    if (sources === undefined) throw failure('not_found', `log ${log} cannot be read`);
    const { decision: receipt, decisionIndex: index } = record;
    const inputs = currentInputs(sources, { receipt, index }, readGovernance(home), nowSeconds);
    if (isDenial(inputs)) throw denied(inputs);
    return { receipt, ...inputs };
  } finally {
    recorded.close();
  }
}
