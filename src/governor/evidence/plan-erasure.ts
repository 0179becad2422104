import { isDenial } from '../../denial/index.ts';
import type { DecisionReceipt } from '../../receipt/index.ts';
import type { LogReader } from '../../tlog/index.ts';
import { type OnProgress, recordedDecisions } from '../replay/recorded-decisions.ts';

/** Whose requests are to be erased. What is given holds together; at least one member must be. */
export interface ErasureSelection {
  readonly executions?: ReadonlySet<string>;
  /** URI of the agent that asked, or of who initiated the artifact. */
  readonly subject?: string;
  /** Decisions before this moment. */
  readonly beforeMs?: number;
}

export interface ErasurePlan {
  /** Addresses of the sealed requests. */
  readonly addresses: ReadonlySet<string>;
  /** Decisions that were selected. */
  readonly selected: number;
  /** Others whose receipts name the same request (a proof presented again): theirs is gone with it. */
  readonly shared: number;
  /** Every decision before this index is affected; 0 where they are listed one by one. */
  readonly beforeIndex: number;
  /** Execution ids of all others that are affected. */
  readonly executions: readonly string[];
}

/** Finds in one log what a selection would erase. Reads it twice: what shares a request may stand anywhere. */
export async function planErasure(
  log: Pick<LogReader, 'head' | 'read'>,
  selection: ErasureSelection,
  onProgress?: OnProgress,
): Promise<ErasurePlan> {
  const { executions: named, subject, beforeMs } = selection;
  const byTimeAlone = beforeMs !== undefined && named === undefined && subject === undefined;
  const addresses = new Set<string>();
  const executions: string[] = [];
  let [selected, shared, beforeIndex] = [0, 0, 0];
  let inOrder = byTimeAlone;
  for await (const { index, receipt } of recordedDecisions(log, onProgress)) {
    if (isDenial(receipt)) continue;
    if (!matches(receipt, selection)) {
      inOrder = false;
      continue;
    }
    selected += 1;
    const { request } = receipt.evidence;
    if (request !== undefined) addresses.add(request);
    // Clocks may have been put back: only the decisions before the first later one are named by an index.
    if (inOrder) beforeIndex = index + 1;
    else if (request !== undefined) executions.push(receipt.id);
  }
  if (addresses.size > 0) {
    for await (const { index, receipt } of recordedDecisions(log, onProgress)) {
      if (isDenial(receipt) || index < beforeIndex || matches(receipt, selection)) continue;
      const { request } = receipt.evidence;
      if (request === undefined || !addresses.has(request)) continue;
      shared += 1;
      executions.push(receipt.id);
    }
  }
  return { addresses, selected, shared, beforeIndex, executions };
}

function matches(
  { id, agent, artifact, atMs }: DecisionReceipt,
  { executions, subject, beforeMs }: ErasureSelection,
): boolean {
  if (executions !== undefined && !executions.has(id)) return false;
  if (subject !== undefined && agent !== subject && artifact?.initiator?.id !== subject) return false;
  return beforeMs === undefined || atMs < beforeMs;
}
