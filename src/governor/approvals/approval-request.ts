import {
  type ApprovalFact,
  approvalsOfOthers,
  checkApprovals,
  missingApprovals,
} from '../../decision/index.ts';
import {
  bySameName,
  type GivenApproval,
  type GovernanceState,
  type PersonOf,
  REQUEST_SECONDS,
} from '../../governance/index.ts';
import type { ApprovalsSeen, DecisionReceipt } from '../../receipt/index.ts';
import type { LogReader } from '../../tlog/index.ts';
import { factOfApproval, isSpent, spentAt } from './find-approvals.ts';

/**
 * `open`: approvers are waited for; `approved`: the action may run, once; `used`: it ran; `rejected`; `expired`: nobody
 * decided in time.
 */
export type RequestStatus = 'open' | 'approved' | 'used' | 'rejected' | 'expired';

/** A denial for want of approvals, as the request that it is. Its id is the execution's. */
export interface ApprovalRequest {
  readonly id: string;
  /** Name of the execution log, and the entry's index. */
  readonly log: string;
  readonly index: number;
  readonly status: RequestStatus;
  readonly atMs: number;
  readonly expiresAtMs: number;
  readonly receipt: DecisionReceipt;
  readonly required: ApprovalsSeen['required'];
  /** What others than the requesters said about this action and is not spent, oldest first. */
  readonly given: readonly GivenApproval[];
  /** How many people more must consent, by role. */
  readonly missing: readonly { readonly role: string; readonly people: number }[];
  /** Subjects that ask, and so do not approve. */
  readonly requesters: readonly string[];
  /** Who had the artifact issued, where that is on record, and so does not approve either. */
  readonly issuedBy: string | undefined;
}

/** Why somebody's word on a request would not count: they are who asks, under that name or another (spec/governance.md §5). */
export function findOwnRequest(
  { requesters, issuedBy }: Pick<ApprovalRequest, 'requesters' | 'issuedBy'>,
  { approver, decision }: { readonly approver: string; readonly decision: 'approve' | 'reject' },
  domain: string | undefined,
): string | undefined {
  if (requesters.includes(approver)) return `${approver} asks for this action, and does not approve it`;
  if (decision === 'reject') return undefined;
  const personOf = bySameName(domain);
  const own = [...requesters, ...(issuedBy === undefined ? [] : [issuedBy])].find(
    (subject) => personOf(subject) === personOf(approver),
  );
  if (own === undefined) return undefined;
  const as = own === approver ? '' : ` as ${own}`;
  return `${approver} asks for this action, or issued its artifact,${as} and does not approve it`;
}

/** What a denial says as a request; undefined for a receipt that is none. */
export function requestOfReceipt(
  {
    log,
    index,
    receipt,
  }: { readonly log: string; readonly index: number; readonly receipt: DecisionReceipt },
  reader: Pick<LogReader, 'lookup'>,
  state: GovernanceState,
  nowMs: number,
): ApprovalRequest | undefined {
  const { approvals, artifact, id, atMs } = receipt;
  if (approvals?.requestExpiresAtMs === undefined || artifact === undefined) return undefined;
  const { holders, initiator, tokenIds } = artifact;
  const issuedBy = state.issuedArtifact(tokenIds[0] ?? '')?.actor;
  const personOf = bySameName(state.domain);
  const subjects = [
    ...(initiator === undefined ? [] : [initiator.id]),
    ...(receipt.workload === undefined ? [] : [receipt.workload.id]),
    ...holders.flatMap((thumbprint) => state.subjectsOf(thumbprint)),
  ];
  const standing = state.approvalsOf(approvals.action);
  const unspent = standing.filter(
    ({ statement }) => statement.decision === 'reject' || !isSpent(reader, statement.nonce),
  );
  const others: ReadonlySet<string> = new Set(
    approvalsOfOthers(
      unspent.map(factOfApproval),
      { subjects, keyThumbprints: holders, issuedBy },
      personOf,
    ).map(({ nonce }) => nonce),
  );
  const given = unspent.filter(({ statement }) => others.has(statement.nonce));
  const ranAfter = standing.some(({ statement }) =>
    spentAt(reader, statement.nonce).some((at) => at > index),
  );
  const expiresAtMs = approvals.requestExpiresAtMs;
  const withinSeconds = shortenedTo(atMs, expiresAtMs);
  const facts = given.map(factOfApproval);
  const status = ranAfter
    ? 'used'
    : statusOf(approvals.required, facts, { nowMs, expiresAtMs, withinSeconds, personOf });
  const missing = missingApprovals(approvals.required, facts, nowMs / 1000, withinSeconds, personOf);
  return {
    ...{ id, log, index, status, atMs, expiresAtMs, receipt, given, missing },
    required: approvals.required,
    requesters: [...new Set(subjects)],
    issuedBy,
  };
}

function statusOf(
  required: ApprovalsSeen['required'],
  given: readonly ApprovalFact[],
  {
    nowMs,
    expiresAtMs,
    withinSeconds,
    personOf,
  }: {
    readonly nowMs: number;
    readonly expiresAtMs: number;
    readonly withinSeconds: number;
    readonly personOf: PersonOf;
  },
): RequestStatus {
  const denial = checkApprovals(required, given, nowMs / 1000, withinSeconds, personOf);
  if (denial === undefined) return 'approved';
  if (denial.code === 'approval.rejected') return 'rejected';
  return nowMs < expiresAtMs ? 'open' : 'expired';
}

/** What policy or artifact give a request, where they give it less than usual; else approvals end by themselves. */
function shortenedTo(atMs: number, expiresAtMs: number): number {
  const seconds = (expiresAtMs - atMs) / 1000;
  return seconds < REQUEST_SECONDS ? seconds : Number.POSITIVE_INFINITY;
}
