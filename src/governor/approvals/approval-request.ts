import {
  type ApprovalFact,
  approvalsOfOthers,
  checkApprovals,
  missingApprovals,
} from '../../decision/index.ts';
import { type GivenApproval, type GovernanceState, REQUEST_SECONDS } from '../../governance/index.ts';
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
  const { holders, initiator } = artifact;
  const subjects = [
    ...(initiator === undefined ? [] : [initiator.id]),
    ...holders.flatMap((thumbprint) => state.subjectsOf(thumbprint)),
  ];
  const standing = state.approvalsOf(approvals.action);
  const unspent = standing.filter(
    ({ statement }) => statement.decision === 'reject' || !isSpent(reader, statement.nonce),
  );
  const others: ReadonlySet<string> = new Set(
    approvalsOfOthers(unspent.map(factOfApproval), { subjects, keyThumbprints: holders }).map(
      ({ nonce }) => nonce,
    ),
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
    : statusOf(approvals.required, facts, { nowMs, expiresAtMs, withinSeconds });
  const missing = missingApprovals(approvals.required, facts, nowMs / 1000, withinSeconds);
  return {
    ...{ id, log, index, status, atMs, expiresAtMs, receipt, given, missing },
    required: approvals.required,
    requesters: [...new Set(subjects)],
  };
}

function statusOf(
  required: ApprovalsSeen['required'],
  given: readonly ApprovalFact[],
  {
    nowMs,
    expiresAtMs,
    withinSeconds,
  }: { readonly nowMs: number; readonly expiresAtMs: number; readonly withinSeconds: number },
): RequestStatus {
  const denial = checkApprovals(required, given, nowMs / 1000, withinSeconds);
  if (denial === undefined) return 'approved';
  if (denial.code === 'approval.rejected') return 'rejected';
  return nowMs < expiresAtMs ? 'open' : 'expired';
}

/** What policy or artifact give a request, where they give it less than usual; else approvals end by themselves. */
function shortenedTo(atMs: number, expiresAtMs: number): number {
  const seconds = (expiresAtMs - atMs) / 1000;
  return seconds < REQUEST_SECONDS ? seconds : Number.POSITIVE_INFINITY;
}
