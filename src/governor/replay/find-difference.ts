import type { Action, Decision, Snapshot } from '../../decision/index.ts';
import { isDenial, STAGES } from '../../denial/index.ts';
import { type DecisionReceipt, type EvidenceKey, executionSalt, isRecordOf } from '../../receipt/index.ts';
import { decisionReceiptOf } from '../receipts.ts';

/**
 * What a receipt says other than a decision derived anew: verdict, stages, and every member, by making the receipt again.
 *
 * @param evidenceKey opens the digest of the arguments; without it that is not compared.
 * @returns undefined where nothing differs.
 */
export function findDifference(
  receipt: DecisionReceipt,
  action: Action,
  snapshot: Snapshot,
  decision: Decision,
  evidenceKey?: EvidenceKey,
): string | undefined {
  return findOtherVerdict(receipt, decision) ?? findUntruth(receipt, action, snapshot, decision, evidenceKey);
}

function findOtherVerdict(receipt: DecisionReceipt, { answer, stages }: Decision): string | undefined {
  const derived = isDenial(answer) ? answer.code : 'permit';
  const recorded = receipt.code ?? 'permit';
  if (derived !== recorded) return `recorded ${recorded}, derived ${derived}`;
  for (const stage of STAGES) {
    if (stages[stage] !== receipt.stages[stage]) {
      return `stage ${stage}: recorded ${receipt.stages[stage]}, derived ${stages[stage]}`;
    }
  }
  return undefined;
}

/** Receipts from before measurements were stated whole tell their digest, assurance and time alone. */
function asFarAsStated({ environment }: DecisionReceipt, recorded: DecisionReceipt) {
  if (environment === undefined || recorded.environment?.statement !== undefined) return environment;
  const { statement: _whole, ...told } = environment;
  return told;
}

function findUntruth(
  receipt: DecisionReceipt,
  action: Action,
  snapshot: Snapshot,
  decision: Decision,
  evidenceKey: EvidenceKey | undefined,
): string | undefined {
  const { id, atMs, log, governance, evidence, bounds } = receipt;
  const salt = evidenceKey === undefined ? new Uint8Array() : executionSalt(evidenceKey, id);
  const { logSize = 0 } = bounds;
  const again = decisionReceiptOf(action, snapshot, decision, {
    ...{ id, atMs, log, salt, logSize, evidence },
    view: governance,
  });
  const recorded: Readonly<Record<string, unknown>> = { ...receipt };
  const derived: Readonly<Record<string, unknown>> = { ...again, environment: asFarAsStated(again, receipt) };
  for (const name of new Set([...Object.keys(recorded), ...Object.keys(derived)])) {
    // The detail is prose; the digest of the arguments is closed to who lacks the key.
    if (name === 'detail' || name === 'bounds' || (name === 'arguments' && evidenceKey === undefined)) {
      continue;
    }
    if (!isRecordOf({ [name]: recorded[name] ?? null }, { [name]: derived[name] ?? null })) {
      return `${name} is not what the decision found`;
    }
  }
  return undefined;
}
