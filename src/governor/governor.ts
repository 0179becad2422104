import { newUuidV7, type VerifiedChain } from '../artifact/index.ts';
import type { JsonObject } from '../codec/index.ts';
import { type Action, type Decision, decide, Permit, type Snapshot } from '../decision/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type Preview, previewOf } from '../policy/index.ts';
import { type EvidenceKey, executionSalt, serializeReceipt } from '../receipt/index.ts';
import {
  type Acknowledgement,
  type AppendRequest,
  type AppendResult,
  type Log,
  leafHash,
} from '../tlog/index.ts';
import { approvalFinder, isApprovalKey, spendingOf } from './approvals/find-approvals.ts';
import type { Clock } from './clock.ts';
import { consumptionOf } from './consumption.ts';
import { EvidenceSealer } from './evidence-sealer.ts';
import type { GovernanceView } from './governance-follower.ts';
import { GovernanceLook, hasMoved, type Look } from './governance-look.ts';
import { OutcomeRecorder } from './outcome-recorder.ts';
import { decisionReceiptOf, type OutcomeFacts, outcomeReceiptOf } from './receipts.ts';

/** What came of an effect that ran. `unknown`: it may or may not have happened. */
export interface EffectResult<T> {
  readonly status: 'succeeded' | 'failed' | 'unknown';
  readonly value: T;
  /** What came back, for the outcome's salted digest. */
  readonly evidence?: Uint8Array;
  /** The result a tool gave, read from that: redaction rules say what of it the outcome shows. */
  readonly result?: JsonObject | undefined;
  /** Fixed text on how it ended, without data: it stands in the log in clear. */
  readonly note?: string;
}

export interface Execution {
  readonly id: string;
  /** Aborted when the execution no longer stands: the enforcement point must stop the effect. */
  readonly signal: AbortSignal;
}

export type Effect<T> = (execution: Execution) => Promise<EffectResult<T>>;

export type Outcome<T> =
  | {
      readonly verdict: 'permit';
      readonly executionId: string;
      readonly receiptIndex: number;
      readonly value: T;
    }
  | {
      readonly verdict: 'deny';
      readonly denial: Denial;
      readonly executionId: string;
      /** Absent where not even the denial could be recorded. */
      readonly receiptIndex: number | undefined;
    };

/** What a governor stands on; `openGovernor` composes it from a trust domain on disk. */
export interface GovernorPorts {
  readonly log: Log;
  /** Origin of that log. */
  readonly origin: string;
  readonly evidenceKey: EvidenceKey;
  readonly clock: Clock;
  /** Brings governance knowledge up to date. */
  readonly governance: { refresh(): GovernanceView };
  /**
   * Waits a moment for an execution that a log beside this one has but no checkpoint covers yet. True where it is worth
   * asking for it again.
   */
  readonly awaitParent?: (executionId: string) => Promise<boolean>;
  /** All of a snapshot but what governance, time and the log contribute. */
  readonly surroundings: () => Omit<
    Snapshot,
    | 'nowSeconds'
    | 'governance'
    | 'governanceCheckedAtSeconds'
    | 'policy'
    | 'findApprovals'
    | 'replay'
    | 'record'
  >;
}

type Recorded =
  | {
      permit: Permit;
      digest: Permit['requestDigest'];
      index: number;
      leaf: Uint8Array;
      look: Look;
      salt: Uint8Array;
      /** Monotonic time of the decision. */
      decidedMs: number;
      maxDurationSeconds: number | undefined;
    }
  | { permit: undefined; denial: Denial; index: number | undefined };

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

/** A permitted execution, as its outcome receipt needs it. */
interface Started {
  readonly id: string;
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly salt: Uint8Array;
  readonly startedMs: number;
}

type Ending = Pick<OutcomeFacts, 'status' | 'code' | 'note' | 'result' | 'preview'>;

/** A permit that took longer than this to become durable is decided once more: time passed, and knowledge aged. */
const MAX_UNCHECKED_MS = 1000;

const OVERDUE = deny('scope.use_exhausted', 'ran longer than the artifact allows');

/** The longest delay a timer takes; what may run longer than 24 days is not timed. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Decides, records, runs: the one way in for every enforcement point. */
export class Governor {
  readonly #ports: GovernorPorts;
  readonly #sealer: EvidenceSealer;
  readonly #outcomes: OutcomeRecorder;
  readonly #look: GovernanceLook;
  readonly #running = new Map<string, AbortController>();

  constructor(ports: GovernorPorts) {
    this.#ports = ports;
    this.#sealer = new EvidenceSealer(ports.evidenceKey);
    this.#outcomes = new OutcomeRecorder(ports.log);
    this.#look = new GovernanceLook(ports.governance, ports.clock);
  }

  /**
   * Runs an effect if and only if the action is permitted and the permit is durable. Never rejects because of the
   * request; an effect that throws is recorded as `unknown` and its error is thrown on.
   */
  async run<T>(asked: Action, effect: Effect<T>): Promise<Outcome<T>> {
    // What is decided twice must be the same twice, whatever becomes of the caller's object in between.
    const action = Object.freeze({ ...asked });
    const id = newUuidV7(this.#ports.clock.wallMs());
    let recorded: Recorded;
    try {
      recorded = await this.#decideAndRecord(id, action);
    } catch {
      recorded = {
        permit: undefined,
        denial: deny('internal.unexpected', 'the governor failed'),
        index: undefined,
      };
    }
    if (recorded.permit === undefined) {
      return { verdict: 'deny', denial: recorded.denial, executionId: id, receiptIndex: recorded.index };
    }
    const { permit, digest, index, leaf, salt, maxDurationSeconds } = recorded;
    const startedMs = this.#ports.clock.monotonicMs();
    const conclude = (facts: Ending) => this.#recordOutcome({ id, index, leaf, salt, startedMs }, facts);

    const withdrawn = this.#withdrawal(action, recorded, startedMs);
    if (withdrawn !== undefined) {
      conclude({ status: 'terminated', code: withdrawn.code, note: 'withdrawn before the effect started' });
      return { verdict: 'deny', denial: withdrawn, executionId: id, receiptIndex: index };
    }
    if (!permit.redeem(digest)) throw new TypeError('a permit was redeemed twice');
    const abort = new AbortController();
    this.#running.set(id, abort);
    const deadline =
      maxDurationSeconds === undefined
        ? undefined
        : setTimeout(() => abort.abort(OVERDUE), Math.min(maxDurationSeconds * 1000, MAX_TIMER_MS));
    try {
      const { status, value, evidence, note, result } = await effect({ id, signal: abort.signal });
      if (abort.signal.reason === OVERDUE) {
        conclude({ status: 'terminated', code: OVERDUE.code, note: OVERDUE.detail });
        return { verdict: 'deny', denial: OVERDUE, executionId: id, receiptIndex: index };
      }
      conclude({
        status,
        ...(note === undefined ? {} : { note }),
        ...(evidence === undefined ? {} : { result: evidence }),
        preview: resultPreview(result, recorded.look.view, action.tool),
      });
      return { verdict: 'permit', executionId: id, receiptIndex: index, value };
    } catch (error) {
      conclude({ status: 'unknown', note: 'the effect failed without an answer' });
      throw error;
    } finally {
      clearTimeout(deadline);
      this.#running.delete(id);
    }
  }

  /** Resolves when a receipt of this log is acknowledged at a level; see `Log.acknowledged`. */
  acknowledged(receiptIndex: number, level: Acknowledgement, signal?: AbortSignal): Promise<void> {
    return this.#ports.log.acknowledged(receiptIndex, level, signal);
  }

  /** Waits until every outcome so far is durable. */
  async settle(): Promise<void> {
    await this.#outcomes.settle();
  }

  /** Stops what is running and drains the log. */
  async close(): Promise<void> {
    for (const abort of this.#running.values()) abort.abort();
    await this.settle();
    await this.#ports.log.close();
  }

  /** @param own index of the permit that is decided once more. */
  #snapshot(view: GovernanceView, nowMs: number, own?: number): Snapshot {
    return {
      ...this.#ports.surroundings(),
      nowSeconds: nowMs / 1000,
      governance: view.state,
      governanceCheckedAtSeconds: view.checkedAtMs / 1000,
      policy: view.policy,
      findApprovals: approvalFinder(this.#ports, view.state, own),
      replay: 'fresh',
      record: 'available',
    };
  }

  async #decideAndRecord(id: string, action: Action): Promise<Recorded> {
    let situation = this.#decide(action);
    const awaited = await this.#awaitedParent(situation.decision);
    if (awaited) situation = this.#decide(action);
    const { snapshot } = situation;
    let { decision } = situation;
    if (Permit.isPermit(decision.answer)) {
      const { request, chain, proof, counters, approvals } = decision.findings;
      if (request === undefined || chain === undefined || proof === undefined) {
        return {
          permit: undefined,
          denial: deny('internal.unexpected', 'a permit lacks its findings'),
          index: undefined,
        };
      }
      const prepared = this.#prepare(id, action, situation, decision);
      // Nothing that fails to commit permits: the proof is consumed in the transaction that records the permit.
      const appended = await this.#append({
        ...prepared.append,
        ...consumptionOf(chain, proof, counters ?? [], approvals),
      });
      if (appended.kind === 'appended') {
        prepared.stored();
        const leaf = leafHash(prepared.append.entry);
        return {
          permit: decision.answer,
          digest: request.digest,
          index: appended.index,
          leaf,
          look: situation.look,
          salt: prepared.salt,
          decidedMs: situation.monotonicMs,
          maxDurationSeconds: maxDurationOf(chain),
        };
      }
      decision = decide(action, { ...snapshot, ...refusalOf(appended) });
    }
    if (!isDenial(decision.answer)) {
      return {
        permit: undefined,
        denial: deny('internal.unexpected', 'a permit was not recorded'),
        index: undefined,
      };
    }
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
   * No permit stands on a shared look alone: `#withdrawal` looks again. Nor does a denial that a newer look could have
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
    const snapshot = this.#snapshot(look.view, atMs);
    const logSize = log.head().size;
    return { look, atMs, monotonicMs, logSize, snapshot, decision: decide(action, snapshot) };
  }

  /** Asked only of who proved to hold the artifact: the proof is verified before lineage. */
  async #awaitedParent({ answer, findings }: Decision): Promise<boolean> {
    const parent = findings.proof?.parent;
    if (parent === undefined || !isDenial(answer) || answer.code !== 'lineage.parent_unknown') return false;
    return (await this.#ports.awaitParent?.(parent)) ?? false;
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

  /**
   * Governance may have moved while the permit was made durable, or that may have taken long: then the standing is decided
   * once more. Its proof is the one this very permit consumed, so it counts as fresh.
   *
   * INVARIANT: the look at governance is younger than the decision, so that a call made after a revocation returned
   * never starts on what was known before it. Permits that became durable together share one.
   */
  #withdrawal(
    action: Action,
    { look, decidedMs, index }: { look: Look; decidedMs: number; index: number },
    nowMs: number,
  ): Denial | undefined {
    const newest = this.#look.after(look);
    if (!hasMoved(look, newest) && nowMs - decidedMs <= MAX_UNCHECKED_MS) return undefined;
    const { answer } = decide(action, this.#snapshot(newest.view, this.#ports.clock.wallMs(), index));
    return isDenial(answer) ? answer : undefined;
  }

  #recordOutcome({ id, index, leaf, salt, startedMs }: Started, facts: Ending): void {
    const { clock, origin } = this.#ports;
    const receipt = outcomeReceiptOf({
      ...facts,
      id,
      atMs: clock.wallMs(),
      log: origin,
      salt,
      decisionIndex: index,
      decisionLeafHash: leaf,
      durationMs: clock.monotonicMs() - startedMs,
    });
    this.#outcomes.record({ entry: serializeReceipt(receipt), keys: [`outcome:${id}`] });
    // What was stopped is no parent to anything, from now on.
    if (facts.status === 'terminated') this.#outcomes.flush();
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

/** By the rules of the policy the permit was made under. */
function resultPreview(
  result: JsonObject | undefined,
  { policy }: GovernanceView,
  tool: string,
): Preview | undefined {
  const rule = policy?.bundle.redaction?.forTool(tool);
  return result && rule && previewOf(result, rule.results);
}

/** The tightest `writ.use.maxDurationSeconds` of the chain. */
function maxDurationOf({ tokens }: VerifiedChain): number | undefined {
  const bounds = tokens.flatMap(({ writ }) => writ.use?.maxDurationSeconds ?? []);
  return bounds.length === 0 ? undefined : Math.min(...bounds);
}
