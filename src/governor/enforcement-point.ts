import { createSecretKey } from 'node:crypto';
import { ChainCache } from '../artifact/index.ts';
import type { Digest } from '../codec/index.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import {
  type Component,
  joinComponents,
  type Measurement,
  measurementOf,
  toolComponents,
} from '../environment/index.ts';
import type { LogProgress } from '../tlog/index.ts';
import type { TrustBundles } from '../workload/index.ts';
import type { Clock } from './clock.ts';
import { readEvidenceKey } from './evidence-key.ts';
import type { ExecutionEnd } from './execution.ts';
import { ExecutionFinder } from './execution-finder.ts';
import type { GovernanceFollower } from './governance-follower.ts';
import { Governor } from './governor.ts';
import type { Home } from './home.ts';
import { type InstanceLog, openInstanceLog } from './instance-log.ts';
import { recordLateOutcome } from './late-outcome.ts';
import type { DecisionTracer } from './tracing/decision-tracer.ts';

export interface EnforcementPointOptions {
  readonly home: Home;
  /** Configured name: its audience and its execution log are named after it. */
  readonly name: string;
  readonly clock: Clock;
  /** Closed by whoever opened it, after the enforcement point. */
  readonly follower: GovernanceFollower;
  /** Governance knowledge older than this denies. */
  readonly maxStalenessSeconds?: number;
  readonly maxLineageDepth?: number;
  /** Default: nothing is traced. */
  readonly tracer?: DecisionTracer;
  /** What workloads may prove their identity with, as it is now. Default: none proves any. */
  readonly trustBundles?: () => TrustBundles;
  /**
   * For a process that decides once and ends: commits run on its own thread, and it waits up to this long for the first
   * log of this name, whose counters are the ones that count, instead of opening another one beside it.
   */
  readonly lockTimeoutMs?: number;
}

/** One runtime at an enforcement point: a governor that decides on what was measured of it. */
export interface PointSession {
  readonly governor: Governor;
  /** Tells the definitions of the tools as they now are; they join the measurement, and what runs is decided again. */
  setTools(tools: readonly MeasuredTool[]): void;
}

export interface MeasuredTool {
  readonly id: string;
  readonly digest: Digest;
}

const DEFAULT_MAX_STALENESS_SECONDS = 10;
const DEFAULT_MAX_LINEAGE_DEPTH = 32;
const MAX_CACHED_CHAINS = 1024;

/**
 * One enforcement point of a trust domain, with its execution log. Several runtimes may stand behind it at a time, each
 * measured for itself; consumed proofs and counters are those of the log, so they share them.
 */
export class EnforcementPoint {
  /** Name of the execution log. */
  readonly log: string;
  /** What proofs must name. */
  readonly audience: string;
  readonly #options: EnforcementPointOptions;
  readonly #instance: InstanceLog;
  readonly #evidenceKey: Uint8Array;
  readonly #finder: ExecutionFinder;
  readonly #cache = new ChainCache(MAX_CACHED_CHAINS);

  private constructor(options: EnforcementPointOptions, instance: InstanceLog, evidenceKey: Uint8Array) {
    const { home, follower } = options;
    this.#options = options;
    this.#instance = instance;
    this.#evidenceKey = evidenceKey;
    this.#finder = new ExecutionFinder(home, instance.log, instance.logName, () => follower.view.state);
    this.log = instance.logName;
    this.audience = home.audience(instance.logName);
  }

  static async open(options: EnforcementPointOptions): Promise<EnforcementPoint | Denial> {
    const evidenceKey = readEvidenceKey(options.home.evidenceKeyFile);
    if (isDenial(evidenceKey)) return evidenceKey;
    const instance = await openInstanceLog({ ...options, evidenceKey });
    return isDenial(instance) ? instance : new EnforcementPoint(options, instance, evidenceKey);
  }

  /** Why no decision can be recorded now, if so. */
  get failure(): string | undefined {
    return this.#instance.log.failure?.message;
  }

  /** @param measuredAtSeconds when the oldest of the components was measured: listing tools again makes none younger. */
  openSession(components: readonly Component[], measuredAtSeconds: number): PointSession {
    const { home, name, clock, follower, tracer, trustBundles } = this.#options;
    const { maxStalenessSeconds = DEFAULT_MAX_STALENESS_SECONDS } = this.#options;
    const { maxLineageDepth = DEFAULT_MAX_LINEAGE_DEPTH } = this.#options;
    const { log, primary } = this.#instance;
    const audiences = primary ? [this.audience] : [home.audience(name), this.audience];
    let measurement = measure(components, [], measuredAtSeconds);
    const governor = new Governor({
      log,
      origin: home.executionOrigin(this.log),
      evidenceKey: createSecretKey(this.#evidenceKey),
      clock,
      ...(tracer && { tracer }),
      governance: follower,
      awaitParent: (executionId) => this.#finder.awaitCovered(executionId),
      surroundings: () => ({
        audiences,
        keepsCounters: primary,
        maxStalenessSeconds,
        measurement,
        findParent: (executionId) => this.#finder.find(executionId),
        maxLineageDepth,
        ...(trustBundles && { trustBundles: trustBundles() }),
        cache: this.#cache,
      }),
    });
    return {
      governor,
      setTools(tools) {
        const measured = measure(components, tools, measuredAtSeconds);
        if (measured.digest === measurement.digest) return;
        measurement = measured;
        void governor.reverify();
      },
    };
  }

  /** As `recordLateOutcome`, whose conditions are the caller's to see to. */
  concludeLater(executionId: string, end: ExecutionEnd): Promise<Denial | undefined> {
    const { log } = this.#instance;
    const origin = this.#options.home.executionOrigin(this.log);
    const evidenceKey = createSecretKey(this.#evidenceKey);
    return recordLateOutcome({ log, origin, evidenceKey, clock: this.#options.clock }, executionId, end);
  }

  /** Of its execution log. */
  progress(): LogProgress {
    return this.#instance.log.progress();
  }

  /** Publishes and closes the log: to be called after the governors of all sessions were stopped. */
  async close(): Promise<void> {
    await this.#instance.log.close();
    this.#finder.close();
  }
}

function measure(
  components: readonly Component[],
  tools: readonly MeasuredTool[],
  measuredAtSeconds: number,
): Measurement {
  return measurementOf(
    joinComponents(components, toolComponents(new Map(tools.map(({ id, digest }) => [id, digest])))),
    'self',
    measuredAtSeconds,
  );
}
