import { ChainCache } from '../../artifact/index.ts';
import { parseJsonObject } from '../../codec/index.ts';
import { type Action, decide, type Snapshot } from '../../decision/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { GovernanceState } from '../../governance/index.ts';
import type { ParentFact } from '../../lineage/index.ts';
import type { PreparedPolicy } from '../../policy/index.ts';
import {
  DECISION_RECEIPT,
  type DecisionReceipt,
  type EvidenceKey,
  type EvidenceKind,
  parseDecisionReceipt,
} from '../../receipt/index.ts';
import type { LogReader } from '../../tlog/index.ts';
import { parentFactOf } from '../parent-fact.ts';
import { DerivedConsumption } from './derived-consumption.ts';
import { findDifference } from './find-difference.ts';
import { GovernanceHistory } from './governance-history.ts';
import {
  actionOfReceipt,
  isMissing,
  type Missing,
  measurementOfReceipt,
  policyOfReceipt,
  snapshotOfReceipt,
} from './inputs-of-receipt.ts';

export interface ReplaySources {
  /** The execution log whose decisions are derived anew. */
  readonly log: LogReader;
  /** The governance log of its trust domain. */
  readonly governance: LogReader;
  /** Unseals evidence; undefined where it was withheld or erased. */
  readonly readEvidence: (address: string) => Uint8Array | undefined;
  /** Executions of the logs beside this one, as they stood at a time; those of this log are found in it. */
  readonly findElsewhere?: (
    executionId: string,
    atMs: number,
    governance: GovernanceState,
  ) => ParentFact | undefined;
  /** Opens the arguments' digests, which are compared then, too. */
  readonly evidenceKey?: EvidenceKey;
}

export interface ReplayReport {
  /** Decisions that came out as recorded. */
  readonly same: number;
  /** Decisions that came out otherwise: there must be none. */
  readonly different: readonly { readonly index: number; readonly id: string; readonly difference: string }[];
  /** Decisions whose evidence is not at hand: nothing is guessed. */
  readonly withheld: number;
}

const READ_BATCH = 256;
const MAX_REPORTED = 1000;

/** Derives every decision of a log again from what it recorded and sealed, and compares (DESIGN §9, promise 3). */
export function replayLog(sources: ReplaySources): ReplayReport {
  const replay = new Replay(sources);
  const { size } = sources.log.head();
  for (let start = 0; start < size; start += READ_BATCH) {
    const entries = sources.log.read(start, Math.min(READ_BATCH, size - start));
    for (const [offset, entry] of entries.entries()) replay.step(start + offset, entry);
  }
  return replay.report();
}

class Replay {
  readonly #sources: ReplaySources;
  readonly #cache = new ChainCache(1024);
  readonly #governance: GovernanceHistory;
  readonly #consumption = new DerivedConsumption();
  readonly #policies = new Map<string, PreparedPolicy>();
  readonly #different: ReplayReport['different'][number][] = [];
  #same = 0;
  #withheld = 0;
  #permitsWithheld = false;

  constructor(sources: ReplaySources) {
    this.#sources = sources;
    this.#governance = new GovernanceHistory(sources.governance);
  }

  report(): ReplayReport {
    return { same: this.#same, different: this.#different, withheld: this.#withheld };
  }

  step(index: number, entry: Uint8Array): void {
    const json = parseJsonObject(entry, 'log.unavailable', { maxDepth: 8 });
    if (isDenial(json) || json.type !== DECISION_RECEIPT) return;
    const receipt = parseDecisionReceipt(entry);
    if (isDenial(receipt)) {
      this.#differs(index, '', receipt.detail);
      return;
    }
    const inputs = this.#inputsOf(receipt, index);
    if (isMissing(inputs)) {
      this.#withheld += 1;
      this.#permitsWithheld ||= receipt.verdict === 'permit';
      return;
    }
    if (isDenial(inputs)) {
      this.#differs(index, receipt.id, inputs.detail);
      return;
    }
    const { action, snapshot } = inputs;
    let decision = decide(action, snapshot);
    if (!isDenial(decision.answer)) {
      // What a withheld permit consumed is not known either, and nothing is guessed.
      if (this.#permitsWithheld && receipt.stages.replay === 'fail') {
        this.#withheld += 1;
        return;
      }
      const replay = this.#consumption.consume(decision.findings, snapshot.nowSeconds);
      if (replay !== 'fresh') decision = decide(action, { ...snapshot, replay });
    }
    const difference = findDifference(receipt, action, snapshot, decision, this.#sources.evidenceKey);
    if (difference === undefined) this.#same += 1;
    else this.#differs(index, receipt.id, difference);
  }

  #inputsOf(
    receipt: DecisionReceipt,
    index: number,
  ): { action: Action; snapshot: Snapshot } | Denial | Missing {
    const governance = this.#governance.at(receipt.governance);
    if (isDenial(governance)) return governance;
    const { logSize = index } = receipt.bounds;
    if (!(logSize >= 0 && logSize <= index)) {
      return deny('log.unavailable', 'the receipt knows more of the log than was there');
    }
    const evidence = (kind: EvidenceKind) => this.#evidenceAt(receipt.evidence[kind]);
    const action = actionOfReceipt(receipt, evidence);
    if (isMissing(action) || isDenial(action)) return action;
    const policy = this.#policyOf(receipt, evidence);
    if (isMissing(policy)) return policy;
    const measurement = measurementOfReceipt(receipt, evidence);
    if (isMissing(measurement)) return measurement;
    const findParent = (id: string) => this.#findParent(id, logSize, receipt.atMs, governance);
    const cache = this.#cache;
    return {
      action,
      snapshot: snapshotOfReceipt(receipt, { governance, policy, measurement, findParent, cache }),
    };
  }

  #evidenceAt(address: string | undefined): Uint8Array | Missing {
    return (address === undefined ? undefined : this.#sources.readEvidence(address)) ?? 'withheld';
  }

  #policyOf(
    receipt: DecisionReceipt,
    evidence: (kind: EvidenceKind) => Uint8Array | Missing,
  ): PreparedPolicy | undefined | Missing {
    const digest = receipt.policy?.digest;
    const known = digest === undefined ? undefined : this.#policies.get(digest);
    if (known !== undefined) return known;
    const policy = policyOfReceipt(receipt, evidence);
    if (digest !== undefined && policy !== undefined && !isMissing(policy)) {
      this.#policies.set(digest, policy);
    }
    return policy;
  }

  /** An execution as the decision knew it: entries from `before` on count for nothing. */
  #findParent(id: string, before: number, atMs: number, governance: GovernanceState): ParentFact | undefined {
    const { log, findElsewhere } = this.#sources;
    const past: Pick<LogReader, 'lookup' | 'read'> = {
      lookup: (key) => log.lookup(key).filter((index) => index < before),
      read: (start, count) => log.read(start, count),
    };
    return parentFactOf(past, id, governance) ?? findElsewhere?.(id, atMs, governance);
  }

  #differs(index: number, id: string, difference: string): void {
    if (this.#different.length < MAX_REPORTED) this.#different.push({ index, id, difference });
  }
}
