import type { GovernanceState } from '../../governance/index.ts';
import type { ParentFact } from '../../lineage/index.ts';
import type { KnownLogs, ProvenExecution } from '../../receipt/index.ts';
import { formatVkey } from '../../tlog/index.ts';
import { type Entries, factOfDecision } from '../parent-fact.ts';

/**
 * What a decision could know of its parent, as the bundle proves it: in its own log by what stood there before it, in
 * another by time, and only of a log that was enrolled by then with the key that signed for it.
 */
export function parentAmong(
  executions: ReadonlyMap<string, ProvenExecution>,
  logs: KnownLogs,
  { decision: { receipt, index } }: ProvenExecution,
  governance: GovernanceState,
): (id: string) => ParentFact | undefined {
  return (id) => {
    const parent = executions.get(id);
    if (parent === undefined) return undefined;
    const { decision, outcome } = parent;
    const isBeside = decision.log !== receipt.log;
    if (isBeside && !isEnrolled(logs, decision.log, governance)) return undefined;
    const { logSize = index } = receipt.bounds;
    const wasThere = (entry: { readonly index: number; readonly receipt: { readonly atMs: number } }) =>
      isBeside ? entry.receipt.atMs <= receipt.atMs : entry.index < logSize;
    if (!wasThere(decision)) return undefined;
    const ended = outcome !== undefined && wasThere(outcome) ? outcome : undefined;
    const entries: Entries = {
      lookup: (key) => (key === `outcome:${id}` && ended !== undefined ? [ended.index] : []),
      read: () => (ended === undefined ? [] : [ended.bytes]),
    };
    const found = { index: decision.index, entry: decision.bytes, receipt: decision.receipt };
    return factOfDecision(entries, found, governance);
  };
}

/** Whether the domain accepts receipts of a log under the key it is seen with here. */
export function isEnrolled(logs: KnownLogs, origin: string, governance: GovernanceState): boolean {
  const key = logs.keyOf(origin);
  const vkeys = governance.logByOrigin(origin)?.vkeys ?? [];
  return key !== undefined && vkeys.includes(formatVkey(origin, key.key));
}
