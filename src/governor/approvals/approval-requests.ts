import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { GovernanceState } from '../../governance/index.ts';
import { type FoundReceipt, queryReceipts, type ReceiptIndex } from '../../receipt/index.ts';
import { SqliteReceiptIndex } from '../../storage/index.ts';
import { DomainLogs } from '../evidence/domain-logs.ts';
import { readEvidenceKey } from '../evidence-key.ts';
import type { Home } from '../home.ts';
import { type ApprovalRequest, requestOfReceipt } from './approval-request.ts';
import { type ShownAction, showAction } from './shown-action.ts';

/** Requests looked at, newest first: a flood of them costs no more, and hides only what is older than it. */
const MAX_REQUESTS = 1000;
const REQUEST_CODES = ['approval.required', 'approval.expired'] as const;

/** The requests for approval in a domain's execution logs. There is no other record of them than the denials. */
export class ApprovalRequests {
  readonly #logs: DomainLogs;
  readonly #indexes: ReadonlyMap<string, ReceiptIndex & { close(): void }>;
  readonly #evidenceKey: Uint8Array;

  private constructor(
    logs: DomainLogs,
    indexes: ReadonlyMap<string, ReceiptIndex & { close(): void }>,
    evidenceKey: Uint8Array,
  ) {
    this.#logs = logs;
    this.#indexes = indexes;
    this.#evidenceKey = evidenceKey;
  }

  /** @param known the governance state, where it has been followed already. */
  static open(home: Home, known?: GovernanceState): ApprovalRequests | Denial {
    const evidenceKey = readEvidenceKey(home.evidenceKeyFile);
    if (isDenial(evidenceKey)) return evidenceKey;
    const logs = DomainLogs.open(home, known);
    if (isDenial(logs)) return logs;
    const indexes = new Map(
      logs.names.map((log) => [log, new SqliteReceiptIndex(home.executionLogFolder(log), logs.reader(log))]),
    );
    return new ApprovalRequests(logs, indexes, evidenceKey);
  }

  /**
   * What was asked since a moment, oldest first. An action that was asked for again is listed once, by its newest request:
   * approvals are of the action.
   */
  async list(
    state: GovernanceState,
    { nowMs, sinceMs }: { readonly nowMs: number; readonly sinceMs: number },
  ): Promise<readonly ApprovalRequest[] | Denial> {
    const found: FoundReceipt[] = [];
    for (const code of REQUEST_CODES) {
      const page = await queryReceipts(this.#indexes, {
        filters: { code, sinceMs },
        order: 'newest-first',
        limit: MAX_REQUESTS,
      });
      if (isDenial(page)) return page;
      found.push(...page.found);
    }
    const newest = new Map<string, ApprovalRequest>();
    for (const one of found.sort((left, right) => right.receipt.atMs - left.receipt.atMs)) {
      const action = one.receipt.approvals?.action;
      if (action === undefined || newest.has(action)) continue;
      const request = requestOfReceipt(one, this.#logs.reader(one.log), state, nowMs);
      if (request !== undefined) newest.set(action, request);
    }
    return [...newest.values()].reverse();
  }

  /** @returns a denial where no log knows it, or it asks for no approval. */
  find(id: string, state: GovernanceState, nowMs: number): ApprovalRequest | Denial {
    const found = this.#logs.find(id);
    if (found === undefined) return deny('request.malformed', `no log knows a request ${id}`);
    const { log, record } = found;
    const receipt = { log, index: record.decisionIndex, receipt: record.decision };
    return (
      requestOfReceipt(receipt, this.#logs.reader(log), state, nowMs) ??
      deny('request.malformed', `execution ${id} does not wait for approval`)
    );
  }

  show({ log, receipt }: ApprovalRequest): ShownAction {
    return showAction(receipt, this.#logs.reader(log), this.#evidenceKey);
  }

  close(): void {
    for (const index of this.#indexes.values()) index.close();
    this.#logs.close();
  }
}
