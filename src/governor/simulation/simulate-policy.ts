import { type Decision, decide, type Snapshot } from '../../decision/index.ts';
import { isDenial, STAGES } from '../../denial/index.ts';
import { GOVERNANCE_EVENT, type GovernanceState } from '../../governance/index.ts';
import type { PreparedPolicy } from '../../policy/index.ts';
import type { DecisionReceipt } from '../../receipt/index.ts';
import { GrowingDigestSet } from '../replay/digest-set.ts';
import { isMissing } from '../replay/inputs-of-receipt.ts';
import { type OnProgress, recordedDecisions } from '../replay/recorded-decisions.ts';
import { DecisionInputs, type DecisionSources, type RecordedInputs } from '../replay/recorded-inputs.ts';
import { type SimulationReport, SimulationTally } from './simulation-report.ts';

export interface SimulationOptions {
  readonly policy: PreparedPolicy;
  /** Decisions from this moment on. */
  readonly sinceMs?: number;
  /** Decisions before this moment. */
  readonly untilMs?: number;
  readonly onProgress?: OnProgress;
}

/**
 * Decides the recorded decisions of a log again, on what each was decided on, with another policy bundle published instead of
 * the one that was. Changes nothing. All else is as recorded: time, artifacts, revocations, measurements.
 *
 * What cannot be known is not claimed: a newly permitted action would still have had to be fresh at the log and within its
 * counters, which no denial tried; what it would have led to, or spent, is not there. An execution whose parent is newly
 * denied is denied with it.
 */
export async function simulatePolicy(
  sources: DecisionSources,
  { policy, sinceMs = 0, untilMs = Number.POSITIVE_INFINITY, onProgress }: SimulationOptions,
): Promise<SimulationReport> {
  const simulation = new Simulation(sources, policy);
  for await (const { index, receipt } of recordedDecisions(sources.log, onProgress)) {
    if (isDenial(receipt) || receipt.atMs < sinceMs || receipt.atMs >= untilMs) continue;
    simulation.step(index, receipt);
  }
  return simulation.tally.report();
}

/** Stages that read nothing of a policy bundle, before the first that does (environment: it pins tools). */
const BEFORE_POLICY = STAGES.slice(0, STAGES.indexOf('environment'));

class Simulation {
  readonly tally = new SimulationTally();
  readonly #inputs: DecisionInputs;
  readonly #policy: PreparedPolicy;
  readonly #denied = new GrowingDigestSet();
  #published: { readonly from: GovernanceState; readonly to: GovernanceState } | undefined;

  constructor(sources: DecisionSources, policy: PreparedPolicy) {
    this.#inputs = new DecisionInputs(sources);
    this.#policy = policy;
  }

  step(index: number, receipt: DecisionReceipt): void {
    if (BEFORE_POLICY.some((stage) => receipt.stages[stage] === 'fail')) {
      this.tally.unchanged('deniedBeforePolicy');
      return;
    }
    const inputs = this.#inputs.of(receipt, index);
    if (isMissing(inputs)) {
      this.tally.changed('notEvaluable', receipt, inputs, `evidence ${inputs}`);
      return;
    }
    if (isDenial(inputs)) {
      this.tally.changed('notEvaluable', receipt, 'log.unreadable', inputs.detail);
      return;
    }
    this.#compare(receipt, decide(inputs.action, this.#snapshotOf(inputs, receipt)));
  }

  #compare(receipt: DecisionReceipt, { answer, stages }: Decision): void {
    const permitted = receipt.verdict === 'permit';
    if (!isDenial(answer)) {
      if (permitted) this.tally.unchanged('stillPermitted');
      else this.tally.changed('newlyPermitted', receipt, 'permit', '');
      return;
    }
    if (permitted) this.#denied.add(receipt.id);
    const { code, detail } = answer;
    if (code === 'policy.evaluation_failed' && receipt.code !== code) {
      this.tally.changed('notEvaluable', receipt, code, detail);
    } else if (permitted) this.tally.changed('newlyDenied', receipt, code, detail);
    else this.tally.unchanged(stages.policy === 'skip' ? 'deniedBeforePolicy' : 'stillDenied');
  }

  #snapshotOf({ snapshot }: RecordedInputs, receipt: DecisionReceipt): Snapshot {
    return {
      ...snapshot,
      policy: this.#policy,
      governance: this.#withPolicy(snapshot.governance),
      findParent: (id) => {
        const fact = snapshot.findParent(id);
        return fact !== undefined && this.#denied.has(id) ? { ...fact, verdict: 'deny' } : fact;
      },
      replay: replayOf(receipt),
    };
  }

  #withPolicy(from: GovernanceState): GovernanceState {
    if (this.#published?.from !== from) {
      const { id, digest } = this.#policy.bundle;
      const event = {
        type: GOVERNANCE_EVENT,
        event: 'policy.published',
        at: 0,
        actor: 'simulation',
      } as const;
      this.#published = { from, to: from.apply({ ...event, id, digest }) };
    }
    return this.#published.to;
  }
}

/** What the log's transaction said stands; where it was not asked, it is taken to say yes. */
function replayOf({ stages, code }: DecisionReceipt): Snapshot['replay'] {
  if (stages.replay !== 'fail') return 'fresh';
  if (code === 'replay.detected') return 'used';
  return code === 'scope.use_exhausted' ? 'exhausted' : 'unavailable';
}
