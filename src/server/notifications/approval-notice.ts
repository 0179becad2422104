import type { JsonObject } from '../../codec/index.ts';
import { BREAK_GLASS } from '../../governance/index.ts';
import { type ApprovalChange, type ApprovalRequest, approvalUrl } from '../../governor/index.ts';
import type { NoticeType } from '../config/index.ts';

/** Something that receivers are told. */
export interface Notice {
  /** Receivers drop repetitions by it: the same for the same news, whenever and however often it is sent. */
  readonly id: string;
  readonly type: NoticeType;
  readonly json: JsonObject;
  /** When it is no news any more. */
  readonly untilMs: number;
}

/** What has an end is told of for so long after it. */
const NEWS_MS = 3_600_000;

/**
 * The notice of what became of a request for approval. It never has the arguments, nor what approvers wrote: those are for
 * whoever may open them.
 */
export function approvalNotice(
  change: ApprovalChange,
  request: ApprovalRequest,
  baseUrl?: string,
): JsonObject {
  const { id, receipt, required, missing, given, atMs, expiresAtMs, status } = request;
  return {
    type: `approval.${change}`,
    timestamp: new Date(atMs).toISOString(),
    data: {
      request: id,
      status,
      tool: receipt.tool,
      agent: receipt.agent ?? null,
      initiator: receipt.artifact?.initiator?.id ?? null,
      purpose: receipt.artifact?.purpose ?? null,
      required: required.map(({ role, threshold }) => ({ role, threshold })),
      missing: status === 'open' ? missing.map(({ role, people }) => ({ role, people })) : [],
      given: given.map(({ statement: { approver, role, decision } }) => ({ approver, role, decision })),
      breakGlass: given.some(({ statement: { role } }) => role === BREAK_GLASS),
      expiresAt: new Date(expiresAtMs).toISOString(),
      ...(baseUrl === undefined ? {} : { url: approvalUrl(baseUrl, id) }),
    },
  };
}

export function noticeOf(change: ApprovalChange, request: ApprovalRequest, baseUrl?: string): Notice {
  const { id, given, expiresAtMs } = request;
  // Consents that ran out and were given again are news again.
  const newest = change === 'granted' ? given.at(-1)?.statement.nonce : undefined;
  return {
    id: [change, id, ...(newest === undefined ? [] : [newest])].join('_'),
    type: `approval.${change}`,
    json: approvalNotice(change, request, baseUrl),
    untilMs: change === 'requested' ? expiresAtMs : expiresAtMs + NEWS_MS,
  };
}
