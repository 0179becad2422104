import { type Denial, deny } from '../../denial/index.ts';
import {
  type ApprovalStatement,
  findSignatureProblem,
  type GovernanceState,
  type StatementSignature,
  statementBytes,
} from '../../governance/index.ts';
import { type ApprovalRequest, findOwnRequest } from './approval-request.ts';

/**
 * Why a signed statement cannot be recorded about a request: it is about something else, the request no longer waits, or
 * it is not its approver's. What it says beside that, the governance log itself checks as it takes it.
 */
export function findSignOffProblem(
  request: ApprovalRequest,
  statement: ApprovalStatement,
  signature: StatementSignature,
  state: GovernanceState,
): Denial | undefined {
  const { id, receipt, status } = request;
  const { approvals, artifact, policy } = receipt;
  // INVARIANT (spec/governance.md §5): what is signed is this action under this artifact and policy, asked for by this request.
  if (
    statement.request !== id ||
    statement.actionDigest !== approvals?.action ||
    statement.artifactDigest !== artifact?.digest ||
    statement.policyDigest !== policy?.digest
  ) {
    return deny('identity.proof_invalid', 'the statement is about another request');
  }
  if (status === 'expired') return deny('approval.expired', 'the request has expired: ask again');
  if (status === 'used') return deny('approval.expired', 'the action has run: ask again');
  if (status === 'rejected') return deny('approval.rejected', 'an approver has rejected this action');
  const { approver, role } = statement;
  const own = findOwnRequest(request, statement, state.domain);
  if (own !== undefined) return deny('identity.mismatch', own);
  const enrolled = state.approvals.approver(approver);
  if (enrolled === undefined) return deny('identity.mismatch', `${approver} is not enrolled as an approver`);
  const bytes = statementBytes(statement);
  const signer = enrolled.keys.find(({ key }) => findSignatureProblem(bytes, signature, key) === undefined);
  if (signer === undefined) {
    return deny('identity.proof_invalid', `no key of ${approver} has signed this statement`);
  }
  return signer.roles.includes(role)
    ? undefined
    : deny('identity.mismatch', `${approver} is not enrolled as ${role} with this key`);
}
