import type { ApprovalFact, ApprovalFindings, Snapshot } from '../../decision/index.ts';
import type { GivenApproval, GovernanceState } from '../../governance/index.ts';
import { actionSalt, type EvidenceKey, saltedDigest } from '../../receipt/index.ts';
import type { AppendRequest, LogReader } from '../../tlog/index.ts';

const KEY_PREFIX = 'approval:';

/** Under what a permit's entry is found by what it spent, and the counter that lets it be spent once. */
function approvalKey(nonce: string): string {
  return `${KEY_PREFIX}${nonce}`;
}

/** Whether a counter that stood in the way of a permit is an approval that another one spent first. */
export function isApprovalKey(key: string): boolean {
  return key.startsWith(KEY_PREFIX);
}

export function factOfApproval({ statement, keyThumbprint }: GivenApproval): ApprovalFact {
  const { nonce, approver, role, decision, nbf, exp } = statement;
  return { nonce, approver, role, decision, nbfSeconds: nbf, expSeconds: exp, keyThumbprint };
}

/** Indices of the permits of a log that spent an approval: there is one at most. */
export function spentAt(log: Pick<LogReader, 'lookup'>, nonce: string): readonly number[] {
  return log.lookup(approvalKey(nonce));
}

/** Whether a log's permits have spent an approval, those at `own` aside. */
export function isSpent(log: Pick<LogReader, 'lookup'>, nonce: string, own?: number): boolean {
  return spentAt(log, nonce).some((index) => index !== own);
}

/**
 * What approvers said about an action, as the governance state has it, without what this log's permits have spent. An
 * approval names the enforcement point, so no other log can have spent it.
 *
 * @param own index of the permit that is looked at again: what it spent itself still counts for it.
 */
export function approvalFinder(
  { log, evidenceKey }: { readonly log: Pick<LogReader, 'lookup'>; readonly evidenceKey: EvidenceKey },
  state: GovernanceState,
  own?: number,
): Snapshot['findApprovals'] {
  return (canonicalAction) => {
    const actionDigest = saltedDigest(actionSalt(evidenceKey, canonicalAction), canonicalAction);
    const given = state
      .approvalsOf(actionDigest)
      .filter(({ statement }) => statement.decision === 'reject' || !isSpent(log, statement.nonce, own));
    return { actionDigest, given: given.map(factOfApproval) };
  };
}

/** What a permit adds to its transaction so that no other one ever stands on the same approvals. */
export function spendingOf(
  approvals: ApprovalFindings | undefined,
): Required<Pick<AppendRequest, 'keys' | 'counters'>> {
  const spent = (approvals?.given ?? []).filter(({ decision }) => decision === 'approve');
  const keys = spent.map(({ nonce }) => approvalKey(nonce));
  return { keys, counters: keys.map((key) => ({ key, limit: 1, amount: 1 })) };
}
