import { realpathSync, rmSync } from 'node:fs';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import {
  type Clock,
  type DecisionTracer,
  GovernanceAuthority,
  type GovernanceFollower,
  type Home,
  openGovernanceFollower,
} from '../../governor/index.ts';
import { LocalGate } from '../access/gate.ts';
import { createApi } from '../api/api.ts';
import { type Config, DEFAULT_CONFIG, type Environment } from '../config/index.ts';
import { Notifications } from '../notifications/notifications.ts';
import { SupervisedPrograms } from '../supervision/index.ts';
import { WorkloadTrust } from '../workloads/index.ts';
import type { ApiServer } from './api-server.ts';
import { ApprovalsWaiting } from './approvals-waiting.ts';
import { connectionBounds } from './connection-bounds.ts';
import type { DaemonPorts, DaemonStatus } from './daemon-ports.ts';
import { EnforcementPoints } from './enforcement-points.ts';
import { HeldPoints } from './held-points.ts';
import { isGone } from './is-gone.ts';
import { listenOnSocket, socketPathOf, writeDaemonFile } from './local-socket.ts';
import type { Logger } from './logger.ts';
import { Metrics } from './metrics.ts';
import { PointSessions } from './point-sessions.ts';
import { serveRemotely } from './remote-api.ts';
import { serveSupervised } from './supervised-connections.ts';
import type { TcpListener } from './tcp-listener.ts';

export interface DaemonOptions {
  readonly home: Home;
  readonly clock: Clock;
  readonly version: string;
  readonly logger: Logger;
  readonly maxStalenessSeconds?: number;
  readonly maxLineageDepth?: number;
  /** Default: nothing is traced. */
  readonly tracer?: DecisionTracer;
  /** How long what runs may go on once the daemon is told to end, milliseconds. */
  readonly drainMs?: number;
  /** Ends when no session has been open for so long. Default: never. */
  readonly idleExitMs?: number;
  /** Asked while another process writes the governance log: whether to wait for it. Default: not. */
  readonly waitOn?: () => Promise<boolean>;
  /** Where else it listens, and for whom. The members above count before what stands there. */
  readonly config?: Config;
  /** Where secrets that the configuration names may be. */
  readonly environment?: Environment;
  /** Actor of what is done through the Unix socket's API. */
  readonly owner?: string;
}

const DEFAULT_DRAIN_MS = 10_000;
const DEFAULT_MAX_STALENESS_SECONDS = 10;
const IDLE_STEP_MS = 1000;

/**
 * The governor of a machine: owns the governance log and the execution logs of its enforcement points, and serves them on
 * a Unix socket. The lock of the governance log is what makes it the only one.
 */
export class Daemon {
  readonly socketPath: string;
  readonly #options: DaemonOptions;
  readonly #home: Home;
  readonly #authority: GovernanceAuthority;
  readonly #follower: GovernanceFollower;
  readonly #points: EnforcementPoints;
  readonly #sessions: PointSessions;
  readonly #approvals: ApprovalsWaiting;
  readonly #trust: WorkloadTrust;
  readonly #supervised: SupervisedPrograms;
  readonly #startedAt: string;
  #server: ApiServer | undefined;
  #remote: TcpListener | undefined;
  #ofSupervised: ApiServer | undefined;
  #notifications: Notifications | undefined;
  #closing: Promise<void> | undefined;
  #idleExitMs: number | undefined;

  private constructor(
    options: DaemonOptions,
    home: Home,
    authority: GovernanceAuthority,
    follower: GovernanceFollower,
  ) {
    this.#options = options;
    this.#idleExitMs = options.idleExitMs;
    this.#home = home;
    this.#authority = authority;
    this.#follower = follower;
    this.#trust = new WorkloadTrust((options.config ?? DEFAULT_CONFIG).workloads, options.logger);
    const trustBundles = () => this.#trust.current;
    this.#points = new EnforcementPoints({ ...options, home, follower, trustBundles });
    this.#sessions = new PointSessions(this.#points);
    this.#approvals = new ApprovalsWaiting({ home, clock: options.clock, follower });
    this.#startedAt = new Date(options.clock.wallMs()).toISOString();
    const socketPath = socketPathOf(home);
    this.socketPath = socketPath;
    const { supervised: programs } = options.config ?? DEFAULT_CONFIG;
    this.#supervised = new SupervisedPrograms({ ...options, home, socketPath, programs });
  }

  /** Opens the logs and listens. */
  static async start(options: DaemonOptions): Promise<Daemon | Denial> {
    const authority = await GovernanceAuthority.open(options.home, options.waitOn);
    if (isDenial(authority)) return authority;
    const home = options.home.withWriter(authority);
    const follower = openGovernanceFollower(home, options.clock);
    if (isDenial(follower)) {
      await authority.close();
      return follower;
    }
    const daemon = new Daemon(options, home, authority, follower);
    try {
      await daemon.#listen();
      return daemon;
    } catch (error) {
      await daemon.close();
      const reason = error instanceof Error ? error.message : 'unknown error';
      return deny('log.unavailable', `it cannot be listened on: ${reason}`);
    }
  }

  /** Where it is reached over TCP, if it is. */
  get url(): string | undefined {
    return this.#remote?.url;
  }

  status(): DaemonStatus {
    const { clock, version } = this.#options;
    const { size, rootHash, policy, checkedAtMs } = this.#follower.refresh();
    const problems = this.#problems();
    return {
      domain: this.#home.domain,
      version,
      pid: process.pid,
      startedAt: this.#startedAt,
      ready: problems.length === 0,
      problems,
      governance: {
        size,
        rootHash,
        ageSeconds: Math.max(0, (clock.wallMs() - checkedAtMs) / 1000),
        policy: policy?.bundle.digest ?? null,
      },
      sessions: this.#sessions.size,
      running: this.#sessions.running,
      ...(this.#idleExitMs === undefined ? {} : { idleExitSeconds: this.#idleExitMs / 1000 }),
    };
  }

  /** It was started for as long as somebody is connected, and is to stay from now on. */
  stay(): void {
    if (this.#idleExitMs === undefined) return;
    this.#idleExitMs = undefined;
    this.#options.logger.info('told to stay, whether anybody is connected or not');
  }

  /**
   * Resolves when it is to be closed: the signal is aborted, nobody needs it any more, or its home is gone.
   */
  async untilEnd(signal: AbortSignal): Promise<void> {
    const { logger } = this.#options;
    let idleSinceMs = performance.now();
    while (!signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, IDLE_STEP_MS);
        function done(): void {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          resolve();
        }
        signal.addEventListener('abort', done);
      });
      if (this.#sessions.size > 0) idleSinceMs = performance.now();
      if (this.#idleExitMs !== undefined && performance.now() - idleSinceMs > this.#idleExitMs) {
        logger.info('nobody has been connected: ending');
        return;
      }
      if (!this.#keepFindable()) {
        logger.warn('the home is gone: ending');
        return;
      }
    }
    logger.info('told to end');
  }

  /** An address that was deleted is written again: who holds the locks must be found. False where the home is gone. */
  #keepFindable(): boolean {
    const { domainFile, daemonFile } = this.#home;
    // Told by what nothing writes again: logs and addresses that are being written make folders anew that were deleted.
    if (isGone(domainFile)) return false;
    if (!isGone(daemonFile)) return true;
    try {
      this.#tellAddress();
    } catch {
      this.#options.logger.warn(`${daemonFile} is gone, and cannot be written`);
    }
    return true;
  }

  #tellAddress(): void {
    const { version } = this.#options;
    const home = realpathSync(this.#home.folder);
    const socket = this.socketPath;
    writeDaemonFile(this.#home, { pid: process.pid, home, socket, version, startedAt: this.#startedAt });
  }

  /** Lets what runs end, stops the rest, publishes and closes the logs, and leaves nothing to be found. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const server = this.#server;
    await this.#sessions.drain(server === undefined ? 0 : (this.#options.drainMs ?? DEFAULT_DRAIN_MS));
    this.#supervised.close();
    await this.#sessions.close();
    await this.#notifications?.close();
    await this.#ofSupervised?.close();
    await this.#remote?.close();
    this.#approvals.close();
    this.#trust.close();
    if (server !== undefined) {
      rmSync(this.#home.daemonFile, { force: true });
      await server.close();
    }
    await this.#points.close();
    this.#follower.close();
    await this.#authority.close();
    this.#options.logger.info('ended');
  }

  async #listen(): Promise<void> {
    const { version, config = DEFAULT_CONFIG, environment = {} } = this.#options;
    const { owner = `spiffe://${this.#home.domain}/user/owner` } = this.#options;
    await this.#trust.start();
    const ports = this.#ports();
    // First what the configuration may keep it from: who finds the socket finds a daemon that is as configured.
    this.#notifications = new Notifications(ports, environment);
    this.#remote = await serveRemotely(ports, config, environment);
    const { limits, listen } = config;
    const { local } = connectionBounds(listen && limits.maxConnections);
    this.#server = await listenOnSocket(this.socketPath, createApi(ports, new LocalGate(owner)), local);
    this.#ofSupervised = serveSupervised(ports, owner);
    const socket = this.socketPath;
    // A courtesy: whether it can be told of approvals keeps nobody from being decided for.
    await this.#notifications.start().catch(() => this.#options.logger.error('approvals are not followed'));
    this.#tellAddress();
    this.#options.logger.info(
      { socket, domain: this.#home.domain, version, ...(this.#remote && { url: this.#remote.url }) },
      'listening',
    );
  }

  #ports(): DaemonPorts {
    const sessions = this.#sessions;
    return {
      home: this.#home,
      clock: this.#options.clock,
      authority: this.#authority,
      follower: this.#follower,
      sessions,
      supervised: this.#supervised,
      held: new HeldPoints({ sessions, follower: this.#follower, clock: this.#options.clock }),
      logger: this.#options.logger,
      config: this.#options.config ?? DEFAULT_CONFIG,
      metrics: new Metrics({
        sessions: () => sessions.size,
        running: () => sessions.running,
        governanceSize: () => this.#follower.view.size,
        leaseAgeSeconds: () => this.status().governance.ageSeconds,
        logs: () => [['governance', this.#authority.progress()], ...this.#points.progress()],
        approvalsWaiting: () => this.#approvals.count,
        onApprovalAsked: () => this.#approvals.moved(),
        noticesWaiting: () => this.#notifications?.waiting ?? 0,
      }),
      trustBundles: () => this.#trust.current,
      status: () => this.status(),
    };
  }

  #problems(): string[] {
    const { failure } = this.#authority;
    const { problem, view } = this.#follower;
    const { clock, maxStalenessSeconds = DEFAULT_MAX_STALENESS_SECONDS } = this.#options;
    const problems: string[] = [];
    if (failure !== undefined) problems.push(failure.detail);
    problems.push(...this.#points.problems);
    if (problem !== undefined) problems.push(problem.detail);
    if (clock.wallMs() - view.checkedAtMs > maxStalenessSeconds * 1000) {
      problems.push('governance knowledge is too old to decide on');
    }
    if (view.policy === undefined) problems.push('no policy is active: run "writ policy publish"');
    return problems;
  }
}
