import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { GovernanceState } from '../../governance/index.ts';
import { type FoundReceipt, MAX_PAGE_LIMIT, queryReceipts, type ReceiptIndex } from '../../receipt/index.ts';
import { SqliteReceiptIndex } from '../../storage/index.ts';
import { DomainLogs } from '../evidence/domain-logs.ts';
import { readEvidenceKey } from '../evidence-key.ts';
import type { Home } from '../home.ts';
import { type ApprovalRequest, type RequestStatus, requestOfReceipt } from './approval-request.ts';
import { type ShownAction, showAction } from './shown-action.ts';

/** Requests looked at, newest first: a flood of them costs no more, and hides only what is older than it. */
const MAX_REQUESTS = 1000;
/** The same where somebody turns pages: each page is found among all of these. */
const MAX_PAGED_REQUESTS = 100_000;
const REQUEST_CODES = ['approval.required', 'approval.expired'] as const;

/** A page of requests: what is asked for, and after which one it begins. */
export interface RequestPageQuery {
  readonly nowMs: number;
  readonly sinceMs: number;
  /** Only what stands so now. */
  readonly status?: RequestStatus;
  readonly tool?: string;
  /** Id of the last request of the page before. */
  readonly after?: string;
  readonly limit: number;
}

export interface RequestPage {
  /** Newest first. */
  readonly requests: readonly ApprovalRequest[];
  /** The next page's `after`; null on the last. */
  readonly next: string | null;
}

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
    const newest = await this.#newest({ sinceMs }, MAX_REQUESTS);
    if (isDenial(newest)) return newest;
    return newest
      .flatMap((one) => requestOfReceipt(one, this.#logs.reader(one.log), state, nowMs) ?? [])
      .reverse();
  }

  /**
   * One page of what {@link list} lists, newest first. Ids are UUIDv7: their order is that of time, and a page begins after one
   * whether it is still there or not.
   */
  async page(
    state: GovernanceState,
    { nowMs, sinceMs, status, tool, after, limit }: RequestPageQuery,
  ): Promise<RequestPage | Denial> {
    const filters = { sinceMs, ...(tool === undefined ? {} : { tool }) };
    const newest = await this.#newest(filters, MAX_PAGED_REQUESTS);
    if (isDenial(newest)) return newest;
    const requests: ApprovalRequest[] = [];
    for (const one of newest.sort((left, right) => (left.receipt.id < right.receipt.id ? 1 : -1))) {
      if (after !== undefined && one.receipt.id >= after) continue;
      const request = requestOfReceipt(one, this.#logs.reader(one.log), state, nowMs);
      if (request === undefined || (status !== undefined && request.status !== status)) continue;
      const last = requests.at(-1);
      if (requests.length === limit) return { requests, next: last?.id ?? null };
      requests.push(request);
    }
    return { requests, next: null };
  }

  /** The newest request of each action, newest first. */
  async #newest(
    filters: { readonly sinceMs: number; readonly tool?: string },
    max: number,
  ): Promise<FoundReceipt[] | Denial> {
    const newest = new Map<string, FoundReceipt>();
    for (const code of REQUEST_CODES) {
      let looked = 0;
      let cursor: string | undefined;
      do {
        const limit = Math.min(MAX_PAGE_LIMIT, max - looked);
        const asked = { filters: { ...filters, code }, order: 'newest-first' as const, limit };
        const page = await queryReceipts(this.#indexes, cursor === undefined ? asked : { cursor, limit });
        if (isDenial(page)) return page;
        for (const one of page.found) {
          const action = one.receipt.approvals?.action;
          if (action === undefined) continue;
          const known = newest.get(action);
          if (known === undefined || known.receipt.atMs < one.receipt.atMs) newest.set(action, one);
        }
        looked += page.found.length;
        cursor = page.next;
      } while (cursor !== undefined && looked < max);
    }
    return [...newest.values()].sort((left, right) => right.receipt.atMs - left.receipt.atMs);
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
