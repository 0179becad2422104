import type { Clock, GovernanceAuthority, GovernanceFollower, Home } from '../../governor/index.ts';
import type { TrustBundles } from '../../workload/index.ts';
import type { Config } from '../config/index.ts';
import type { SupervisedPrograms } from '../supervision/index.ts';
import type { HeldPoints } from './held-points.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import type { PointSessions } from './point-sessions.ts';

export interface DaemonStatus {
  readonly domain: string;
  readonly version: string;
  readonly pid: number;
  /** RFC 3339. */
  readonly startedAt: string;
  /** Whether a decision could be made and recorded now. */
  readonly ready: boolean;
  /** Why it could not, a line each. */
  readonly problems: readonly string[];
  readonly governance: {
    readonly size: number;
    readonly rootHash: string;
    readonly ageSeconds: number;
    readonly policy: string | null;
  };
  readonly sessions: number;
  /** Executions that were permitted and have not ended. */
  readonly running: number;
  /** Where it ends by itself: when no session has been open for so long. */
  readonly idleExitSeconds?: number;
}

/** What the API of a daemon works with. */
export interface DaemonPorts {
  readonly home: Home;
  readonly clock: Clock;
  readonly authority: GovernanceAuthority;
  readonly follower: GovernanceFollower;
  readonly sessions: PointSessions;
  /** Enforcement points that only ask. */
  readonly held: HeldPoints;
  /** Programs it starts, and can vouch for. */
  readonly supervised: SupervisedPrograms;
  readonly metrics: Metrics;
  readonly config: Config;
  readonly logger: Logger;
  /** What workloads may prove their identity with, now. */
  readonly trustBundles: () => TrustBundles;
  readonly status: () => DaemonStatus;
}
