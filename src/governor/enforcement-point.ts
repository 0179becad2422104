import { createSecretKey } from 'node:crypto';
import { ChainCache, type VerifiedChain } from '../artifact/index.ts';
import type { Digest } from '../codec/index.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import {
  type Component,
  joinComponents,
  type Measurement,
  measurementOf,
  type PolicyInForce,
  policyComponents,
  toolComponents,
  wantsOwnQuote,
  withQuotes,
} from '../environment/index.ts';
import type { LogProgress } from '../tlog/index.ts';
import type { TrustBundles } from '../workload/index.ts';
import { readAttesterFile, tpmQuoteSource } from './attestation/attester-file.ts';
import { readEnvironmentFile } from './attestation/environment-file.ts';
import { type QuoteSource, SessionQuotes, type SessionQuotesOptions } from './attestation/session-quotes.ts';
import type { Clock } from './clock.ts';
import { readEvidenceKey } from './evidence-key.ts';
import type { ExecutionEnd } from './execution.ts';
import { ExecutionFinder } from './execution-finder.ts';
import type { GovernanceFollower } from './governance-follower.ts';
import { Governor } from './governor.ts';
import type { Home } from './home.ts';
import { type InstanceLog, openInstanceLog } from './instance-log.ts';
import { recordLateOutcome } from './late-outcome.ts';
import { type Supervisor, supervisedMeasurement } from './supervision/supervised-measurement.ts';
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
  /** The TPM that is asked for quotes; the one this machine's home names, by default. */
  readonly quoteSource?: QuoteSource;
}

/** One runtime at an enforcement point: a governor that decides on what was measured of it. */
export interface PointSession {
  readonly governor: Governor;
  /** Tells the definitions of the tools as they now are; they join the measurement, and what runs is decided again. */
  setTools(tools: readonly MeasuredTool[]): void;
  /** What was measured of the runtime has changed: what runs is decided again. */
  setComponents(components: readonly Component[], measuredAtSeconds: number, bootId?: string): void;
  /** Stops its governor, and asks no TPM any more. */
  end(): Promise<void>;
}

export interface MeasuredTool {
  readonly id: string;
  readonly digest: Digest;
}

/** Everything that a session's measurement is made of. */
interface Known {
  readonly components: readonly Component[];
  readonly tools: readonly MeasuredTool[];
  readonly policy: PolicyInForce | undefined;
  readonly atSeconds: number;
  readonly bootId: string | undefined;
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
  readonly #quoteSource: QuoteSource | undefined;

  private constructor(
    options: EnforcementPointOptions,
    instance: InstanceLog,
    evidenceKey: Uint8Array,
    quoteSource: QuoteSource | undefined,
  ) {
    const { home, follower } = options;
    this.#options = options;
    this.#instance = instance;
    this.#evidenceKey = evidenceKey;
    this.#finder = new ExecutionFinder(home, instance.log, instance.logName, () => follower.view.state);
    this.#quoteSource = quoteSource;
    this.log = instance.logName;
    this.audience = home.audience(instance.logName);
  }

  static async open(options: EnforcementPointOptions): Promise<EnforcementPoint | Denial> {
    const evidenceKey = readEvidenceKey(options.home.evidenceKeyFile);
    if (isDenial(evidenceKey)) return evidenceKey;
    const attester = readAttesterFile(options.home.attesterFile);
    if (isDenial(attester)) return attester;
    const instance = await openInstanceLog({ ...options, evidenceKey });
    if (isDenial(instance)) return instance;
    const quoteSource = options.quoteSource ?? (attester && tpmQuoteSource(attester));
    return new EnforcementPoint(options, instance, evidenceKey, quoteSource);
  }

  /** Why no decision can be recorded now, if so. */
  get failure(): string | undefined {
    return this.#instance.log.failure?.message;
  }

  /**
   * @param measuredAtSeconds when the oldest of the components was measured: listing tools again makes none younger.
   * @param isHere whether the runtime is known to be on this machine, whose TPM may then vouch for it.
   * @param supervisor who looks at its process, if anybody does.
   * @param firstBootId the boot it says that it was measured in.
   */
  openSession(
    measured: readonly Component[],
    measuredAtSeconds: number,
    {
      isHere = false,
      bootId: firstBootId,
      supervisor,
    }: {
      readonly isHere?: boolean;
      readonly bootId?: string | undefined;
      readonly supervisor?: Supervisor;
    } = {},
  ): PointSession {
    const { home, name, clock, follower, tracer, trustBundles } = this.#options;
    const { maxStalenessSeconds = DEFAULT_MAX_STALENESS_SECONDS } = this.#options;
    const { maxLineageDepth = DEFAULT_MAX_LINEAGE_DEPTH } = this.#options;
    const { log, primary } = this.#instance;
    const audiences = primary ? [this.audience] : [home.audience(name), this.audience];
    /** Which policy is in force is the governor's to say, where this domain measures it: it sees what it decides by. */
    const profile = readEnvironmentFile(home.environmentFile);
    const knowsPolicy = !isDenial(profile) && profile.measure.includes('policy');
    const measureNow = ({ components, tools, policy, atSeconds, bootId }: Known) => {
      const nowSeconds = Math.floor(clock.wallMs() / 1000);
      return measure([components, policyComponents(policy, nowSeconds)], tools, atSeconds, bootId);
    };
    let known: Known = {
      ...{ components: measured, atSeconds: measuredAtSeconds, bootId: firstBootId, tools: [] },
      policy: knowsPolicy ? follower.view.policy?.bundle : undefined,
    };
    let measurement = measureNow(known);
    const quotes = isHere
      ? this.#openQuotes(measurement.digest, {
          isRunning: (artifact) => governor.isRunning(artifact),
          onChanged: () => {
            measurement = withQuotes(measurement, quotes?.all ?? []);
            void governor.reverify();
          },
        })
      : undefined;
    const asSeen = supervisedMeasurement(supervisor);
    /** INVARIANT: it throws on what it cannot measure, and nothing has changed then: what was measured is never taken for what is. */
    const take = (next: Known, again = measureNow(next)) => {
      known = next;
      quotes?.setEnvironment(again.digest);
      measurement = withQuotes(again, quotes?.all ?? []);
      void governor.reverify();
    };
    const governor = new Governor({
      log,
      origin: home.executionOrigin(this.log),
      evidenceKey: createSecretKey(this.#evidenceKey),
      clock,
      ...(tracer && { tracer }),
      governance: follower,
      awaitParent: (executionId) => this.#finder.awaitCovered(executionId),
      ...(quotes && {
        awaitQuote: (chain, denial) => awaitQuote(quotes, chain, denial),
        onBegun: ({ digest }) => quotes.begin(digest),
      }),
      surroundings: () => {
        const inForce = knowsPolicy ? follower.view.policy?.bundle : undefined;
        if (inForce?.digest !== known.policy?.digest) take({ ...known, policy: inForce });
        return {
          ...{ audiences, maxStalenessSeconds, maxLineageDepth, cache: this.#cache },
          measurement: asSeen(measurement),
          keepsCounters: primary,
          findParent: (executionId) => this.#finder.find(executionId),
          ...(trustBundles && { trustBundles: trustBundles() }),
        };
      },
    });
    return {
      governor,
      setTools(tools) {
        const next = { ...known, tools };
        const again = measureNow(next);
        if (again.digest === measurement.digest) known = next;
        else take(next, again);
      },
      setComponents(components, atSeconds, bootId) {
        take({ ...known, components, atSeconds, bootId });
      },
      end: async () => {
        quotes?.stop();
        await governor.stop();
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

  #openQuotes(
    environment: Digest,
    session: Pick<SessionQuotesOptions, 'isRunning' | 'onChanged'>,
  ): SessionQuotes | undefined {
    const source = this.#quoteSource;
    if (source === undefined) return undefined;
    const { clock, follower } = this.#options;
    const findAttester = (name: string) => follower.view.state.environmentByName(name)?.attester;
    return new SessionQuotes({ source, clock, findAttester, ...session }, environment);
  }

  /** Publishes and closes the log: to be called after the governors of all sessions were stopped. */
  async close(): Promise<void> {
    await this.#instance.log.close();
    this.#finder.close();
  }
}

/** For want of assurance a quote is asked for; what policy denies may have lacked one that is under way. */
async function awaitQuote(
  quotes: SessionQuotes,
  chain: VerifiedChain,
  { code, reason }: Denial,
): Promise<void> {
  if (code === 'environment.assurance_too_low') {
    const bindings = chain.tokens.flatMap(({ writ }) => writ.environment ?? []);
    await quotes.want(wantsOwnQuote(bindings) ? chain.digest : undefined);
  } else if (reason.stage === 'policy') {
    await quotes.settle();
  }
}

/** @param measured by the runtime, and what the governor itself knows; of that the runtime has no say. */
function measure(
  [measured, known]: readonly [measured: readonly Component[], known: readonly Component[]],
  tools: readonly MeasuredTool[],
  measuredAtSeconds: number,
  bootId: string | undefined,
): Measurement {
  const told = measured.filter(({ kind }) => kind !== 'policy');
  return measurementOf(
    joinComponents(known, told, toolComponents(new Map(tools.map(({ id, digest }) => [id, digest])))),
    'self',
    measuredAtSeconds,
    bootId,
  );
}
