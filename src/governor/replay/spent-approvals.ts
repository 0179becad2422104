import { decide } from '../../decision/index.ts';
import type { DecisionReceipt } from '../../receipt/index.ts';
import { factOfApproval } from '../approvals/find-approvals.ts';
import type { RecordedInputs } from './recorded-inputs.ts';

/**
 * Which approvals the permits of a log have spent, told by the order of the log alone. Grows with what people signed, which
 * is little beside what a log decides.
 */
export class SpentApprovals {
  readonly #spent = new Set<string>();

  /** Takes what a permit spent; false where an earlier one had spent some of it. */
  spend({ approvals, verdict }: DecisionReceipt): boolean {
    if (approvals === undefined || verdict !== 'permit') return true;
    const consents = approvals.given.filter(({ decision }) => decision === 'approve');
    const isFirst = consents.every(({ nonce }) => !this.#spent.has(nonce));
    for (const { nonce } of consents) this.#spent.add(nonce);
    return isFirst;
  }

  /** Whether a decision left out an approval although no permit before it had spent it. */
  leavesOut({ approvals }: DecisionReceipt, { action, snapshot }: RecordedInputs): boolean {
    if (approvals === undefined) return false;
    const counted = new Set(approvals.given.map(({ nonce }) => nonce));
    const standing = snapshot.governance.approvalsOf(approvals.action);
    if (standing.every(({ statement }) => this.#isAccountedFor(statement.nonce, counted))) return false;
    // What is left may be of who asked; that the decision itself tells.
    const all = { actionDigest: approvals.action, given: standing.map(factOfApproval) };
    const { findings } = decide(action, { ...snapshot, findApprovals: () => all });
    return findings.approvals?.given.some(({ nonce }) => !this.#isAccountedFor(nonce, counted)) === true;
  }

  #isAccountedFor(nonce: string, counted: ReadonlySet<string>): boolean {
    return counted.has(nonce) || this.#spent.has(nonce);
  }
}
