import {
  type Action,
  checkAuthority,
  type Decision,
  decide,
  type Ground,
  groundOf,
  Permit,
  type Snapshot,
} from '../decision/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { executionSalt, serializeReceipt } from '../receipt/index.ts';
import { type AppendRequest, type AppendResult, leafHash } from '../tlog/index.ts';
import { isApprovalKey, spendingOf } from './approvals/find-approvals.ts';
import { consumptionOf } from './consumption.ts';
import { EvidenceSealer } from './evidence-sealer.ts';
import { type GovernanceLook, hasMoved, type Look } from './governance-look.ts';
import type { OutcomeRecorder } from './outcome-recorder.ts';
import { type GovernorPorts, snapshotOf } from './ports.ts';
import { decisionReceiptOf } from './receipts.ts';

/** A permit that is durable, and what it was made on. */
export interface RecordedPermit {
  readonly permit: Permit;
  readonly ground: Ground;
  /** The execution its proof names as parent. */
  readonly parent: string | undefined;
  readonly digest: Permit['requestDigest'];
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly look: Look;
  /** What the decision was made on. */
  readonly snapshot: Snapshot;
  readonly salt: Uint8Array;
  /** Monotonic time of the decision. */
  readonly decidedMs: number;
}

export type Recorded =
  | RecordedPermit
  | { readonly permit: undefined; readonly denial: Denial; readonly index: number | undefined };

/** One decision and everything it was made on. */
interface Situation {
  readonly decision: Decision;
  readonly snapshot: Snapshot;
  readonly look: Look;
  readonly atMs: number;
  readonly monotonicMs: number;
  /** Entries of the log at that moment. */
  readonly logSize: number;
}

/** A permit that took longer than this to become durable is decided once more: time passed, and knowledge aged. */
const MAX_UNCHECKED_MS = 1000;

/** What runs in this governor and may be named as a parent. */
export interface RunningParents {
  /** Ends an execution that was stopped and has no outcome yet; false where there is none such. */
  endStopped(executionId: string): boolean;
}

/** Decides and makes the decision durable, permit or denial. */
export class DecisionRecorder {
  readonly #ports: GovernorPorts;
  readonly #running: RunningParents;
  readonly #look: GovernanceLook;
  readonly #outcomes: OutcomeRecorder;
  readonly #sealer: EvidenceSealer;

  constructor(
    ports: GovernorPorts,
    look: GovernanceLook,
    outcomes: OutcomeRecorder,
    running: RunningParents,
  ) {
    this.#ports = ports;
    this.#running = running;
    this.#look = look;
    this.#outcomes = outcomes;
    this.#sealer = new EvidenceSealer(ports.evidenceKey);
  }

  /** Nothing that fails to commit permits: the proof is consumed in the transaction that records the permit. */
  async record(id: string, action: Action): Promise<Recorded> {
    let situation = await this.#decideWithParent(action);
    // Before the quote came, its parent may not even have been looked for.
    if (await this.#awaitedQuote(situation)) situation = await this.#decideWithParent(action);
    const { snapshot } = situation;
    let { decision } = situation;
    if (Permit.isPermit(decision.answer)) {
      const { request, chain, proof, counters, approvals } = decision.findings;
      const ground = groundOf(action, decision.findings);
      if (request === undefined || chain === undefined || proof === undefined || ground === undefined) {
        return unrecorded('a permit lacks its findings');
      }
      const prepared = this.#prepare(id, action, situation, decision);
      const appended = await this.#append({
        ...prepared.append,
        ...consumptionOf(chain, proof, counters ?? [], approvals),
      });
      if (appended.kind === 'appended') {
        prepared.stored();
        return {
          permit: decision.answer,
          ground,
          parent: proof.parent,
          digest: request.digest,
          index: appended.index,
          leaf: leafHash(prepared.append.entry),
          look: situation.look,
          snapshot,
          salt: prepared.salt,
          decidedMs: situation.monotonicMs,
        };
      }
      decision = decide(action, { ...snapshot, ...refusalOf(appended) });
    }
    if (!isDenial(decision.answer)) return unrecorded('a permit was not recorded');
    const prepared = this.#prepare(id, action, situation, decision);
    const appended = await this.#append(prepared.append);
    if (appended.kind === 'appended') prepared.stored();
    return {
      permit: undefined,
      denial: decision.answer,
      index: appended.kind === 'appended' ? appended.index : undefined,
    };
  }

  /**
   * Governance or the measurement may have moved while the permit was made durable, or that may have taken long: then it
   * is decided once more. Its proof is the one this very permit consumed, so it counts as fresh.
   *
   * INVARIANT: the look at governance is younger than the decision, so that a call made after a revocation returned
   * never starts on what was known before it. Permits that became durable together share one.
   */
  withdrawal(action: Action, recorded: RecordedPermit): Denial | undefined {
    const { look, snapshot, decidedMs, index } = recorded;
    const { clock } = this.#ports;
    const newest = this.#look.after(look);
    const current = snapshotOf(this.#ports, newest.view, clock.wallMs(), index);
    const isCurrent =
      !hasMoved(look, newest) &&
      current.measurement === snapshot.measurement &&
      current.trustBundles === snapshot.trustBundles &&
      clock.monotonicMs() - decidedMs <= MAX_UNCHECKED_MS;
    if (isCurrent) return undefined;
    const { answer } = decide(action, current);
    // The enforcement point told the tool's definition as it was before; what is measured now may be another.
    return isDenial(answer) ? answer : checkAuthority(recorded.ground, current);
  }

  /** As `#decide`, once its parent is known as well as it can be. */
  async #decideWithParent(action: Action): Promise<Situation> {
    let situation = this.#decide(action);
    if (await this.#awaitedParent(situation.decision)) situation = this.#decide(action);
    if (await this.#endedParent(situation.decision)) situation = this.#decide(action);
    return situation;
  }

  /**
   * No permit stands on a shared look alone: `withdrawal` looks again. Nor does a denial that a newer look could have
   * spared.
   */
  #decide(action: Action): Situation {
    const shared = this.#look.shared();
    if (shared === undefined) return this.#decideOn(action, this.#look.now());
    const situation = this.#decideOn(action, shared);
    const { answer } = situation.decision;
    if (!isDenial(answer)) return situation;
    const newest = this.#look.now();
    const isOvertaken = answer.code === 'revocation.stale' || hasMoved(shared, newest);
    return isOvertaken ? this.#decideOn(action, newest) : situation;
  }

  #decideOn(action: Action, look: Look): Situation {
    const { clock, log } = this.#ports;
    const atMs = clock.wallMs();
    const monotonicMs = clock.monotonicMs();
    const snapshot = snapshotOf(this.#ports, look.view, atMs);
    const logSize = log.head().size;
    return { look, atMs, monotonicMs, logSize, snapshot, decision: decide(action, snapshot) };
  }

  /** Asked only of who proved to hold the artifact: the proof is verified before lineage. */
  async #awaitedParent({ answer, findings }: Decision): Promise<boolean> {
    const parent = findings.proof?.parent;
    if (parent === undefined || !isDenial(answer) || answer.code !== 'lineage.parent_unknown') return false;
    return (await this.#ports.awaitParent?.(parent)) ?? false;
  }

  /** Asked only of who proved to hold the artifact: others make no TPM work. */
  async #awaitedQuote({ decision: { answer, findings }, snapshot }: Situation): Promise<boolean> {
    const { chain, proof } = findings;
    const { awaitQuote, surroundings } = this.#ports;
    if (awaitQuote === undefined || chain === undefined || proof === undefined || !isDenial(answer)) {
      return false;
    }
    await awaitQuote(chain, answer);
    return surroundings().measurement !== snapshot.measurement;
  }

  /**
   * A parent that was stopped has no children any more, whether or not it has ended yet: its outcome is recorded first,
   * so that the log says why they are denied.
   */
  async #endedParent({ findings }: Decision): Promise<boolean> {
    const parent = findings.proof?.parent;
    if (parent === undefined || !this.#running.endStopped(parent)) return false;
    await this.#outcomes.settle();
    return true;
  }

  #prepare(
    id: string,
    action: Action,
    { snapshot, look, atMs, logSize }: Situation,
    decision: Decision,
  ): { append: AppendRequest; salt: Uint8Array; stored: () => void } {
    const salt = executionSalt(this.#ports.evidenceKey, id);
    const evidence = this.#sealer.seal(action, snapshot, decision);
    const receipt = decisionReceiptOf(action, snapshot, decision, {
      id,
      atMs,
      log: this.#ports.origin,
      salt,
      view: look.view,
      logSize,
      evidence: evidence.addresses,
    });
    return {
      append: {
        entry: serializeReceipt(receipt),
        keys: [
          `execution:${id}`,
          ...(isDenial(decision.answer) ? [] : spendingOf(decision.findings.approvals).keys),
        ],
        evidence: evidence.blobs,
      },
      salt,
      stored: () => evidence.stored(),
    };
  }

  async #append(request: AppendRequest): Promise<AppendResult | { kind: 'unavailable' }> {
    try {
      const appended = this.#ports.log.append(request);
      this.#outcomes.flush();
      return await appended;
    } catch {
      return { kind: 'unavailable' };
    }
  }
}

/** What the log's transaction said, as another decision reads it: who spent an approval first is found in the log by now. */
function refusalOf(
  appended: Exclude<AppendResult, { kind: 'appended' }> | { kind: 'unavailable' },
): Partial<Snapshot> {
  if (appended.kind === 'unavailable') return { record: 'unavailable' };
  if (appended.kind === 'replayed') return { replay: 'used' };
  return isApprovalKey(appended.key) ? {} : { replay: 'exhausted' };
}

function unrecorded(detail: string): Recorded {
  return { permit: undefined, denial: deny('internal.unexpected', detail), index: undefined };
}
