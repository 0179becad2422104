import { decide } from '../../decision/index.ts';
import { isDenial } from '../../denial/index.ts';
import { actionSalt, type DecisionReceipt, type EvidenceKey, saltedDigest } from '../../receipt/index.ts';
import { DerivedConsumption } from './derived-consumption.ts';
import { findDifference } from './find-difference.ts';
import { isMissing, type Missing } from './inputs-of-receipt.ts';
import { type OnProgress, recordedDecisions } from './recorded-decisions.ts';
import { DecisionInputs, type DecisionSources, type RecordedInputs } from './recorded-inputs.ts';
import { type ReplayReport, ReplayTally } from './replay-report.ts';
import { SpentApprovals } from './spent-approvals.ts';

export interface ReplaySources extends DecisionSources {
  /** Opens the arguments' digests, which are compared then, too. */
  readonly evidenceKey?: EvidenceKey;
}

/**
 * Derives every decision of a log again from what it recorded and sealed, and compares (DESIGN §9, promise 3). Reads the log
 * as a stream; memory grows only with the permits of one replay window beyond a million, and with counters in use.
 */
export async function replayLog(sources: ReplaySources, onProgress?: OnProgress): Promise<ReplayReport> {
  const replay = new Replay(sources);
  for await (const { index, receipt } of recordedDecisions(sources.log, onProgress)) {
    if (isDenial(receipt)) replay.tally.differs({ index, id: '', difference: receipt.detail });
    else replay.step(index, receipt);
  }
  return replay.tally.report();
}

const SPENT_TWICE = 'recorded permit, and an approval it stands on had been spent before';

class Replay {
  readonly tally = new ReplayTally();
  readonly #evidenceKey: EvidenceKey | undefined;
  readonly #inputs: DecisionInputs;
  readonly #consumption = new DerivedConsumption();
  readonly #approvals = new SpentApprovals();

  constructor(sources: ReplaySources) {
    this.#evidenceKey = sources.evidenceKey;
    const { evidenceKey } = sources;
    const digestOfAction = (action: string) =>
      saltedDigest(actionSalt(evidenceKey ?? new Uint8Array(), action), action);
    this.#inputs = new DecisionInputs(evidenceKey === undefined ? sources : { ...sources, digestOfAction });
  }

  step(index: number, receipt: DecisionReceipt): void {
    const inputs = this.#inputs.of(receipt, index);
    if (isMissing(inputs)) {
      this.#pass(index, receipt, inputs);
      return;
    }
    if (isDenial(inputs)) {
      this.tally.differs({ index, id: receipt.id, difference: inputs.detail });
      return;
    }
    const misuse = this.#misuseOf(receipt, inputs);
    if (misuse !== undefined) {
      this.tally.differs({ index, id: receipt.id, difference: misuse });
      return;
    }
    const { action, snapshot, askedElsewhere } = inputs;
    let decision = decide(action, snapshot);
    if (!isDenial(decision.answer)) {
      const { findings } = decision;
      const consumption = this.#consumption.find(findings, receipt);
      // The log's word is taken for a permit, which counts, and never for one that should have been none.
      if (consumption === 'fresh' || consumption === 'unknown') {
        if (receipt.verdict === 'permit') this.#consumption.take(findings, snapshot.nowSeconds);
      }
      if (consumption === 'unknown') {
        this.tally.count('undetermined');
        return;
      }
      if (consumption !== 'fresh') decision = decide(action, { ...snapshot, replay: consumption });
    }
    const difference = findDifference(receipt, action, snapshot, decision, this.#evidenceKey);
    if (difference === undefined) this.tally.count('same');
    else if (askedElsewhere() && isAboutParent(receipt)) this.tally.count('undetermined');
    else this.tally.differs({ index, id: receipt.id, difference });
  }

  #misuseOf(receipt: DecisionReceipt, inputs: RecordedInputs): string | undefined {
    if (this.#approvals.leavesOut(receipt, inputs)) {
      return 'leaves out an approval that no permit before it had spent';
    }
    return this.#approvals.spend(receipt) ? undefined : SPENT_TWICE;
  }

  #pass(index: number, receipt: DecisionReceipt, missing: Missing): void {
    if (receipt.verdict === 'permit' && !this.#consumption.takeUnseen(receipt)) {
      const difference = 'recorded permit, and its proof had been used before';
      this.tally.differs({ index, id: receipt.id, difference });
      return;
    }
    if (!this.#approvals.spend(receipt)) {
      this.tally.differs({ index, id: receipt.id, difference: SPENT_TWICE });
      return;
    }
    this.tally.count(missing);
  }
}

/**
 * What another log showed of a parent at that moment is not recorded: it may not have been published yet, or its outcome
 * already known. That can only have denied; a permit is held against the parent as it was.
 */
function isAboutParent({ code }: DecisionReceipt): boolean {
  return code === 'lineage.parent_unknown' || code === 'lineage.parent_denied';
}
