import type { ReasonCode } from '../../denial/index.ts';
import type { DecisionReceipt } from '../../receipt/index.ts';
import type { Missing } from '../replay/inputs-of-receipt.ts';

/**
 * `newlyDenied`: permitted then, denied now. `newlyPermitted`: denied then, and every stage that can be derived passes now.
 * `notEvaluable`: policies cannot be evaluated on it now (and could then), or what it was decided on is not at hand.
 */
export type Change = 'newlyDenied' | 'newlyPermitted' | 'notEvaluable';

/** Why a decision is what it now is: a code, `permit`, or why its evidence is not at hand. */
export type NewVerdict = ReasonCode | 'permit' | Missing | 'log.unreadable';

/** Changes of one agent on one tool, for one reason. */
export interface ChangeGroup {
  readonly change: Change;
  /** The enrolled agent, else the thumbprint of the key that asked, else empty. */
  readonly agent: string;
  readonly tool: string;
  readonly recorded: ReasonCode | 'permit';
  readonly now: NewVerdict;
  /** Of the first of them: it may name a token, a policy or an argument that others do not. */
  readonly detail: string;
  /** Exact. */
  readonly count: number;
  /** Execution ids of the first of them. */
  readonly receipts: readonly string[];
}

export interface SimulationReport {
  /** Decisions in the period. */
  readonly decisions: number;
  readonly stillPermitted: number;
  /** Denied then and now; the code may be another one. */
  readonly stillDenied: number;
  /** Of those, denied by a stage before policy: no policy changes that. */
  readonly deniedBeforePolicy: number;
  readonly newlyDenied: number;
  readonly newlyPermitted: number;
  readonly notEvaluable: number;
  /** Most frequent first. */
  readonly groups: readonly ChangeGroup[];
  /** Changes in groups beyond the most that are kept apart; they are in the counts above. */
  readonly ungrouped: number;
}

const MAX_GROUPS = 1000;
const RECEIPTS_PER_GROUP = 10;

type Open<T> = { -readonly [K in keyof T]: T[K] };
type OpenGroup = Open<Omit<ChangeGroup, 'receipts'>> & { readonly receipts: string[] };

/** Counts while recorded decisions are decided again. Bounded, whatever the log holds. */
export class SimulationTally {
  readonly #counts = {
    ...{ decisions: 0, stillPermitted: 0, stillDenied: 0, deniedBeforePolicy: 0 },
    ...{ newlyDenied: 0, newlyPermitted: 0, notEvaluable: 0, ungrouped: 0 },
  };
  readonly #groups = new Map<string, OpenGroup>();

  unchanged(how: 'stillPermitted' | 'stillDenied' | 'deniedBeforePolicy'): void {
    this.#counts.decisions += 1;
    this.#counts[how] += 1;
    if (how === 'deniedBeforePolicy') this.#counts.stillDenied += 1;
  }

  changed(change: Change, receipt: DecisionReceipt, now: NewVerdict, detail: string): void {
    this.#counts.decisions += 1;
    this.#counts[change] += 1;
    const agent = receipt.agent ?? receipt.artifact?.holders.at(-1) ?? '';
    const { tool, code: recorded = 'permit' } = receipt;
    const key = JSON.stringify([change, agent, tool, recorded, now]);
    const group = this.#groups.get(key);
    if (group !== undefined) {
      group.count += 1;
      if (group.receipts.length < RECEIPTS_PER_GROUP) group.receipts.push(receipt.id);
    } else if (this.#groups.size < MAX_GROUPS) {
      this.#groups.set(key, { change, agent, tool, recorded, now, detail, count: 1, receipts: [receipt.id] });
    } else this.#counts.ungrouped += 1;
  }

  report(): SimulationReport {
    const groups = [...this.#groups.values()].sort((left, right) => right.count - left.count);
    return { ...this.#counts, groups };
  }
}
