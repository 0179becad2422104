import { type Denial, isDenial } from '../denial/index.ts';
import { type Component, readBootId } from '../environment/index.ts';
import type { TrustBundles } from '../workload/index.ts';
import type { QuoteSource } from './attestation/session-quotes.ts';
import { type Clock, systemClock } from './clock.ts';
import { EnforcementPoint, type MeasuredTool, type PointSession } from './enforcement-point.ts';
import type { ExecutionEnd } from './execution.ts';
import { type GovernanceView, openGovernanceFollower } from './governance-follower.ts';
import type { Governor } from './governor.ts';
import type { Home } from './home.ts';
import type { DecisionTracer } from './tracing/decision-tracer.ts';

export interface GovernorOptions {
  readonly home: Home;
  /** Configured name of the enforcement point: its audience and its execution log are named after it. */
  readonly name: string;
  /** What was measured of the runtime (enforcer and upstream), or its coming: the log is opened meanwhile. */
  readonly components: readonly Component[] | Promise<readonly Component[]>;
  readonly clock?: Clock;
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

export interface OpenedGovernor {
  readonly governor: Governor;
  /** Name of the execution log, and the audience that proofs must name. */
  readonly log: string;
  readonly audience: string;
  readonly view: () => GovernanceView;
  /** Tells the definitions of the upstream's tools as they now are; they join the measurement, and what runs is decided again. */
  setTools(tools: readonly MeasuredTool[]): void;
  /** Says how an execution ended that was left by its caller, in this process or another one; durable when it resolves. */
  concludeLater(executionId: string, end: ExecutionEnd): Promise<Denial | undefined>;
  /** Tells what was measured again of the runtime; what runs is decided again. */
  setComponents(components: readonly Component[], measuredAtSeconds: number): void;
  close(): Promise<void>;
}

/**
 * Opens a governor on a trust domain on disk: governance followed, an execution log of its own, keys at hand. Rejects
 * only where measuring does, with its reason.
 */
export async function openGovernor(options: GovernorOptions): Promise<OpenedGovernor | Denial> {
  const { home, clock = systemClock } = options;
  const measuring = Promise.resolve(options.components);
  // Awaited below, unless something else fails first.
  measuring.catch(() => undefined);
  const measuredAtSeconds = Math.floor(clock.wallMs() / 1000);
  const follower = openGovernanceFollower(home, clock);
  if (isDenial(follower)) return follower;
  const point = await EnforcementPoint.open({ ...options, clock, follower });
  if (isDenial(point)) {
    follower.close();
    return point;
  }
  const close = async (session?: PointSession) => {
    await session?.end();
    await point.close();
    follower.close();
  };
  let session: PointSession;
  try {
    session = point.openSession(await measuring, measuredAtSeconds, { isHere: true, bootId: readBootId() });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    governor: session.governor,
    log: point.log,
    audience: point.audience,
    view: () => follower.refresh(),
    setTools: (tools) => session.setTools(tools),
    async concludeLater(executionId, end) {
      await session.governor.settle();
      return point.concludeLater(executionId, end);
    },
    setComponents: (measured, atSeconds) => session.setComponents(measured, atSeconds, readBootId()),
    close: () => close(session),
  };
}
