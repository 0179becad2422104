import { randomBytes } from 'node:crypto';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import {
  APPROVAL,
  APPROVAL_REVIEW,
  type ApprovalStatement,
  type ApproverKey,
  BREAK_GLASS,
  type GovernanceState,
  MAX_BREAK_GLASS_SECONDS,
  REQUEST_SECONDS,
  type ReviewStatement,
  type StatementSignature,
} from '../../governance/index.ts';
import type { NewGovernanceEvent } from '../governance-event.ts';
import { appendGovernance } from '../governance-writer.ts';
import type { Home } from '../home.ts';
import { type ApprovalRequest, findOwnRequest } from './approval-request.ts';

interface By {
  readonly actor: string;
  readonly atSeconds: number;
}

export interface Verdict {
  readonly approver: string;
  readonly role: string;
  readonly decision: ApprovalStatement['decision'];
  readonly reason?: string;
  /** How long a consent holds; by default as long as a request does. */
  readonly seconds?: number;
}

const NONCE_BYTES = 16;

/** The statement for an approver to sign about a request that is open. */
export function statementFor(
  home: Home,
  request: ApprovalRequest,
  { approver, role, decision, reason, seconds }: Verdict,
  nowSeconds: number,
): ApprovalStatement | Denial {
  const { id, receipt, status } = request;
  const { approvals, artifact, policy } = receipt;
  if (approvals === undefined || artifact === undefined || policy === undefined) {
    return deny('request.malformed', `execution ${id} does not wait for approval`);
  }
  if (status === 'expired')
    return deny('approval.expired', 'the request has expired: it has to be made again');
  if (status === 'used') return deny('request.malformed', 'the action has run: it has to be asked for again');
  if (status === 'rejected') return deny('approval.rejected', 'an approver has rejected this action');
  const own = findOwnRequest(request, { approver, decision }, home.domain);
  if (own !== undefined) return deny('request.malformed', own);
  const longest = role === BREAK_GLASS ? MAX_BREAK_GLASS_SECONDS : REQUEST_SECONDS;
  const { atMs, expiresAtMs } = request;
  // Where less time is given than usual, that is the end of it: nothing longer would count.
  const isShortened = expiresAtMs - atMs < REQUEST_SECONDS * 1000;
  const end = isShortened
    ? Math.max(nowSeconds + 1, Math.floor(expiresAtMs / 1000))
    : Number.MAX_SAFE_INTEGER;
  return {
    type: APPROVAL,
    trustDomain: home.domain,
    request: id,
    actionDigest: approvals.action,
    artifactDigest: artifact.digest,
    policyDigest: policy.digest,
    ...{ approver, role, decision },
    ...(reason === undefined ? {} : { reason }),
    nbf: nowSeconds,
    exp: Math.min(nowSeconds + (seconds ?? longest), end),
    nonce: randomBytes(NONCE_BYTES).toString('base64url'),
  };
}

/** Records a signed approval or rejection. It counts from the moment this resolves. */
export function recordApproval(
  home: Home,
  statement: ApprovalStatement,
  signature: StatementSignature,
  by: By,
): Promise<Denial | undefined> {
  return append(home, { event: 'approval.given', ...stamp(by), statement, signature });
}

export function reviewStatementFor(
  home: Home,
  { nonce, reviewer, finding }: Pick<ReviewStatement, 'nonce' | 'reviewer' | 'finding'>,
  nowSeconds: number,
): ReviewStatement {
  return { type: APPROVAL_REVIEW, trustDomain: home.domain, nonce, reviewer, finding, at: nowSeconds };
}

/** Records that somebody else has looked at a break-glass approval. */
export function recordReview(
  home: Home,
  statement: ReviewStatement,
  signature: StatementSignature,
  by: By,
): Promise<Denial | undefined> {
  return append(home, { event: 'approval.reviewed', ...stamp(by), statement, signature });
}

export function enrollApprover(
  home: Home,
  approver: { readonly subject: string; readonly roles: readonly string[]; readonly key: ApproverKey },
  by: By,
): Promise<Denial | undefined> {
  return append(home, { event: 'approver.enrolled', ...stamp(by), ...approver });
}

/** From now on nothing counts that the approver, or this key, has consented to; what was rejected stays rejected. */
export function retireApprover(
  home: Home,
  approver: { readonly subject: string; readonly thumbprint?: string },
  by: By,
): Promise<Denial | undefined> {
  return append(home, { event: 'approver.retired', ...stamp(by), ...approver });
}

/** The roles in which somebody could still help a request along: those it asks for, and the one that breaks the glass. */
export function rolesFor(
  state: GovernanceState,
  request: ApprovalRequest,
  approver: string,
): readonly string[] {
  const held = new Set(state.approvals.approver(approver)?.keys.flatMap(({ roles }) => roles));
  return request.required.map(({ role }) => role).filter((role) => held.has(role));
}

function stamp({ actor, atSeconds }: By): { readonly actor: string; readonly at: number } {
  return { actor, at: atSeconds };
}

async function append(home: Home, event: NewGovernanceEvent): Promise<Denial | undefined> {
  const appended = await appendGovernance(home, [event]);
  return isDenial(appended) ? appended : undefined;
}
