import { encodeBase64url } from '../codec/index.ts';
import { isDenial, STAGES } from '../denial/index.ts';
import type { BundledExecution } from './bundle.ts';
import { type DecisionReceipt, parseDecisionReceipt } from './decision-receipt.ts';
import type { Findings } from './findings.ts';
import type { KnownLogs, ProvenEntry, UnknownLog } from './known-logs.ts';
import { type OutcomeReceipt, parseOutcomeReceipt } from './outcome-receipt.ts';

/** An execution whose receipts are in its log. */
export interface ProvenExecution {
  readonly bundled: BundledExecution;
  readonly decision: ProvenEntry<DecisionReceipt>;
  readonly outcome?: ProvenEntry<OutcomeReceipt>;
}

/** Verifies that decision and outcome are in the log they name, are what such receipts are, and belong together. */
export function proveExecution(
  bundled: BundledExecution,
  logs: KnownLogs,
  findings: Findings,
): ProvenExecution | UnknownLog | undefined {
  const decision = logs.prove(bundled.decision, parseDecisionReceipt);
  if (isDenial(decision)) {
    findings.problem('decision', decision.detail);
    return undefined;
  }
  if ('unknownLog' in decision) return decision;
  const { receipt } = decision;
  if (receipt.log !== decision.log) findings.problem('decision', `the receipt names log ${receipt.log}`);
  findDecisionProblem(receipt, findings);
  const outcome = proveOutcome(bundled, decision, logs, findings);
  return { bundled, decision, ...(outcome && { outcome }) };
}

/**
 * A permit has every stage's yes and what they found; a denial has the yes of the stages before the one that failed, and
 * nothing of those after it.
 */
function findDecisionProblem(receipt: DecisionReceipt, findings: Findings): void {
  const verdicts = STAGES.map((stage) => receipt.stages[stage]);
  if (receipt.verdict === 'permit') {
    if (verdicts.some((verdict) => verdict !== 'pass')) {
      findings.problem('decision', 'a permit with a stage that did not pass');
    }
    for (const part of ['artifact', 'proof', 'policy', 'lineage'] as const) {
      if (receipt[part] === undefined) findings.problem('decision', `a permit without its ${part}`);
    }
    return;
  }
  const failed = verdicts.indexOf('fail');
  const inOrder = verdicts.every((verdict, at) =>
    at < failed ? verdict === 'pass' : verdict === (at === failed ? 'fail' : 'skip'),
  );
  if (failed < 0 || !inOrder) {
    findings.problem('decision', 'a denial whose stages are not passed, then one failed, then skipped');
  }
}

function proveOutcome(
  { outcome: bundled }: BundledExecution,
  decision: ProvenEntry<DecisionReceipt>,
  logs: KnownLogs,
  findings: Findings,
): ProvenEntry<OutcomeReceipt> | undefined {
  const problem = (detail: string) => findings.problem('outcome', detail);
  if (decision.receipt.verdict !== 'permit') {
    if (bundled !== undefined) problem('the decision was a denial');
    return undefined;
  }
  if (bundled === undefined) problem('it is missing, and the bundle does not say that there was none');
  if (bundled === undefined || bundled === null) return undefined;
  const outcome = logs.prove(bundled, parseOutcomeReceipt);
  if (isDenial(outcome)) {
    problem(outcome.detail);
    return undefined;
  }
  if ('unknownLog' in outcome) {
    problem(`it is of another log, ${outcome.unknownLog}`);
    return undefined;
  }
  const { receipt } = outcome;
  if (receipt.id !== decision.receipt.id) problem('it is of another execution');
  if (receipt.log !== decision.receipt.log || outcome.log !== decision.log) {
    problem('the receipt names another log');
  }
  if (
    receipt.decision.index !== decision.index ||
    receipt.decision.leafHash !== encodeBase64url(decision.leaf)
  ) {
    problem('it names another decision');
  }
  if (outcome.index <= decision.index) problem('it was recorded before its decision');
  return outcome;
}
