import { ChainCache, type Counter, DEFAULT_LIMITS, type Presentation } from '../artifact/index.ts';
import {
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  parseJson,
  parseJsonObject,
} from '../codec/index.ts';
import { type Action, type Decision, decide, type Snapshot } from '../decision/index.ts';
import { type Denial, deny, isDenial, isReasonCode, STAGES } from '../denial/index.ts';
import { type Measurement, parseMeasurement } from '../environment/index.ts';
import { foldGovernance, GovernanceState } from '../governance/index.ts';
import type { ParentFact } from '../lineage/index.ts';
import { type PreparedPolicy, parsePolicyBundle, preparePolicy } from '../policy/index.ts';
import {
  argumentsOfProof,
  DECISION_RECEIPT,
  type DecisionReceipt,
  type EvidenceKey,
  executionSalt,
  isRecordOf,
  parseDecisionReceipt,
} from '../receipt/index.ts';
import { CompactTree, type LogReader, leafHash } from '../tlog/index.ts';
import { consumeIdOf, REPLAY_MEMORY_SECONDS } from './consumption.ts';
import { parentFactOf } from './parent-fact.ts';
import { decisionReceiptOf } from './receipts.ts';
import { isRedactedRequest } from './request-evidence.ts';

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
  readonly #consumed = new Map<string, number>();
  readonly #spent = new Map<string, number>();
  readonly #policies = new Map<string, PreparedPolicy>();
  readonly #different: ReplayReport['different'][number][] = [];
  #state = GovernanceState.empty;
  #tree = CompactTree.empty();
  #same = 0;
  #withheld = 0;
  #permitsWithheld = false;

  constructor(sources: ReplaySources) {
    this.#sources = sources;
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
    if (inputs === undefined) {
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
      decision = this.#consume(decision, action, snapshot, receipt);
    }
    const difference =
      findDifference(receipt, decision) ?? this.#findUntruth(receipt, action, snapshot, decision);
    if (difference === undefined) this.#same += 1;
    else this.#differs(index, receipt.id, difference);
  }

  /** What the log's transaction said, derived from the permits before this one. */
  #consume(decision: Decision, action: Action, snapshot: Snapshot, receipt: DecisionReceipt): Decision {
    const { chain, proof, counters = [] } = decision.findings;
    if (chain === undefined || proof === undefined) return decision;
    const id = consumeIdOf(chain, proof);
    const expires = this.#consumed.get(id);
    if (expires !== undefined && expires > receipt.atMs / 1000)
      return decide(action, { ...snapshot, replay: 'used' });
    if (counters.some((counter) => this.#wouldExceed(counter))) {
      return decide(action, { ...snapshot, replay: 'exhausted' });
    }
    this.#consumed.set(id, proof.iatSeconds + REPLAY_MEMORY_SECONDS);
    for (const counter of counters) {
      this.#spent.set(counterKey(counter), (this.#spent.get(counterKey(counter)) ?? 0) + counter.amount);
    }
    return decision;
  }

  #wouldExceed(counter: Counter): boolean {
    // A hair of tolerance: the log adds decimals exactly, this sum may be off in the last bit.
    const total = (this.#spent.get(counterKey(counter)) ?? 0) + counter.amount;
    return total > counter.limit + Math.abs(counter.limit) * 1e-9;
  }

  #inputsOf(
    receipt: DecisionReceipt,
    index: number,
  ): { action: Action; snapshot: Snapshot } | Denial | undefined {
    const governance = this.#governanceAt(receipt.governance.size);
    if (isDenial(governance)) return governance;
    if (encodeBase64url(this.#tree.root()) !== receipt.governance.rootHash) {
      return deny('revocation.stale', 'the governance log is not the one the receipt names');
    }
    const { logSize = index } = receipt.bounds;
    if (!(logSize >= 0 && logSize <= index)) {
      return deny('log.unavailable', 'the receipt knows more of the log than was there');
    }
    const action = this.#actionOf(receipt);
    if (action === undefined || isDenial(action)) return action;
    const policy = this.#policyOf(receipt);
    const measurement = this.#measurementOf(receipt);
    if (policy === 'withheld' || measurement === 'withheld') return undefined;
    const snapshot: Snapshot = {
      nowSeconds: receipt.atMs / 1000,
      audiences: receipt.audiences,
      keepsCounters: receipt.audiences.length === 1,
      governance,
      governanceCheckedAtSeconds: receipt.governance.checkedAtMs / 1000,
      maxStalenessSeconds: receipt.bounds.maxStalenessSeconds,
      policy,
      measurement,
      findParent: (id) => this.#findParent(id, logSize, receipt.atMs, governance),
      maxLineageDepth: receipt.bounds.maxLineageDepth,
      approvals: [],
      replay: receipt.code === 'replay.unavailable' ? 'unavailable' : 'fresh',
      record: 'available',
      limits: DEFAULT_LIMITS,
      cache: this.#cache,
    };
    return { action, snapshot };
  }

  #governanceAt(size: number): GovernanceState | Denial {
    if (this.#state.epoch > size) {
      this.#state = GovernanceState.empty;
      this.#tree = CompactTree.empty();
    }
    while (this.#state.epoch < size) {
      const entries = this.#sources.governance.read(
        this.#state.epoch,
        Math.min(READ_BATCH, size - this.#state.epoch),
      );
      if (entries.length === 0)
        return deny('revocation.stale', 'the governance log is shorter than the receipt says');
      const next = foldGovernance(entries, this.#state);
      if (isDenial(next)) return next;
      this.#state = next;
      for (const entry of entries) this.#tree.append(leafHash(entry));
    }
    return this.#state;
  }

  #actionOf(receipt: DecisionReceipt): Action | Denial | undefined {
    const { request: requestAddress, chain: chainAddress } = receipt.evidence;
    const request = this.#readJson(requestAddress);
    if (request === undefined) return undefined;
    if (isDenial(request)) return request;
    if (isRedactedRequest(request)) return undefined;
    const args: unknown = request.args ?? argumentsOfProof(request.pop);
    const tool = typeof request.tool === 'string' ? request.tool : receipt.tool;
    if (!isJsonObject(args)) return deny('log.unavailable', 'the request evidence holds no arguments');
    const presentation = this.#presentationOf(request, chainAddress);
    if (presentation === 'withheld') return undefined;
    const refusal = denialOf(request.refusal);
    return {
      tool,
      args,
      presentation,
      ...(refusal === undefined ? {} : { refusal }),
      ...(receipt.toolDefinition === undefined ? {} : { toolDigest: receipt.toolDefinition }),
    };
  }

  #presentationOf(
    request: JsonObject,
    chainAddress: string | undefined,
  ): Presentation | Denial | undefined | 'withheld' {
    const problem = denialOf(request.problem);
    if (problem !== undefined) return problem;
    // A proof came with a chain; where that was not kept, nothing is guessed.
    if (chainAddress === undefined) return request.pop === undefined ? undefined : 'withheld';
    const bytes = this.#sources.readEvidence(chainAddress);
    if (bytes === undefined) return 'withheld';
    const chain = parseJson(bytes, 'log.unavailable');
    if (!Array.isArray(chain) || !chain.every((token) => typeof token === 'string')) return undefined;
    return { aat_chain: chain, aat_pop: typeof request.pop === 'string' ? request.pop : '' };
  }

  #policyOf({ policy, evidence }: DecisionReceipt): PreparedPolicy | undefined | 'withheld' {
    if (policy === undefined) return undefined;
    const known = this.#policies.get(policy.digest);
    if (known !== undefined) return known;
    const bytes = evidence.policy === undefined ? undefined : this.#sources.readEvidence(evidence.policy);
    if (bytes === undefined) return 'withheld';
    const bundle = parsePolicyBundle(bytes);
    if (isDenial(bundle) || bundle.digest !== policy.digest) return 'withheld';
    const prepared = preparePolicy(bundle);
    this.#policies.set(policy.digest, prepared);
    return prepared;
  }

  #measurementOf({ environment, evidence }: DecisionReceipt): Measurement | undefined | 'withheld' {
    if (environment === undefined) return undefined;
    const bytes =
      evidence.measurement === undefined ? undefined : this.#sources.readEvidence(evidence.measurement);
    const measurement = bytes === undefined ? undefined : parseMeasurement(bytes);
    return measurement === undefined || isDenial(measurement) ? 'withheld' : measurement;
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

  /** What else the receipt says must be what the decision found: the same receipt is made again and compared. */
  #findUntruth(
    receipt: DecisionReceipt,
    action: Action,
    snapshot: Snapshot,
    decision: Decision,
  ): string | undefined {
    const { id, atMs, log, governance, evidence, bounds } = receipt;
    const { evidenceKey } = this.#sources;
    const salt = evidenceKey === undefined ? new Uint8Array() : executionSalt(evidenceKey, id);
    const { logSize = 0 } = bounds;
    const again = decisionReceiptOf(action, snapshot, decision, {
      ...{ id, atMs, log, salt, logSize, evidence },
      view: governance,
    });
    const recorded: Readonly<Record<string, unknown>> = { ...receipt };
    const derived: Readonly<Record<string, unknown>> = { ...again };
    for (const name of new Set([...Object.keys(recorded), ...Object.keys(derived)])) {
      // The detail is prose; the digest of the arguments is closed to who lacks the key.
      if (name === 'detail' || name === 'bounds' || (name === 'arguments' && evidenceKey === undefined))
        continue;
      if (!isRecordOf({ [name]: recorded[name] ?? null }, { [name]: derived[name] ?? null })) {
        return `${name} is not what the decision found`;
      }
    }
    return undefined;
  }

  #readJson(address: string | undefined): JsonObject | Denial | undefined {
    const bytes = address === undefined ? undefined : this.#sources.readEvidence(address);
    return bytes === undefined
      ? undefined
      : parseJsonObject(bytes, 'log.unavailable', { maxBytes: 64 * 1024 * 1024, maxDepth: 128 });
  }

  #differs(index: number, id: string, difference: string): void {
    if (this.#different.length < MAX_REPORTED) this.#different.push({ index, id, difference });
  }
}

/** A denial as evidence holds it. */
function denialOf(json: unknown): Denial | undefined {
  if (!isJsonObject(json) || !isReasonCode(json.code)) return undefined;
  return deny(json.code, typeof json.detail === 'string' ? json.detail : '');
}

function counterKey({ tokenHash, name }: Counter): string {
  return `${tokenHash}:${name}`;
}

function findDifference(receipt: DecisionReceipt, { answer, stages }: Decision): string | undefined {
  const derived = isDenial(answer) ? answer.code : 'permit';
  const recorded = receipt.code ?? 'permit';
  if (derived !== recorded) return `recorded ${recorded}, derived ${derived}`;
  for (const stage of STAGES) {
    if (stages[stage] !== receipt.stages[stage]) {
      return `stage ${stage}: recorded ${receipt.stages[stage]}, derived ${stages[stage]}`;
    }
  }
  return undefined;
}
