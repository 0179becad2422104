import type { Digest } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { type Component, measurableTools } from '../../environment/index.ts';
import type { MeasuredTool } from '../enforcement-point.ts';
import type { ExecutionEnd } from '../execution.ts';
import type { Governor } from '../governor.ts';
import type { Home } from '../home.ts';
import type { DaemonLink } from './daemon-link.ts';
import { findUnfitDaemon, reachDaemon } from './reach-daemon.ts';
import { RemoteGovernor } from './remote-governor.ts';

export interface ConnectOptions {
  readonly home: Home;
  /** Configured name of the enforcement point. */
  readonly name: string;
  readonly components: readonly Component[] | Promise<readonly Component[]>;
  /** Unix seconds at which the oldest of them was measured, known when they are; default: now. */
  readonly measuredAtSeconds?: number | Promise<number>;
  /**
   * Starts a daemon where none runs, and resolves when one answers; also when the one that was connected to is gone.
   * Without it, none is started.
   */
  readonly start?: () => Promise<unknown>;
}

/** The governor of the domain's daemon, as an enforcement point uses it. */
export interface ConnectedGovernor {
  readonly governor: Pick<Governor, 'run' | 'settle'>;
  /** Name of the execution log, and the audience that proofs must name. */
  readonly log: string;
  readonly audience: string;
  /** Base URL of where people approve (`approvalUrl`), where the daemon is configured with one. */
  readonly approvalsUrl?: string | undefined;
  /** Digest that the active policy pins a tool's definition to. */
  pinnedDigest(tool: string): Digest | undefined;
  setTools(tools: readonly MeasuredTool[]): void;
  /** As `OpenedGovernor` has it. */
  concludeLater(executionId: string, end: ExecutionEnd): Promise<Denial | undefined>;
  /** Tells what was measured again of the runtime; what runs is decided again. */
  setComponents(components: readonly Component[], measuredAtSeconds: number): void;
  close(): Promise<void>;
}

/** After one could not be started, calls are denied for so long before it is tried again: a broken one is no storm. */
const START_PAUSE_MS = 3_000;
/** A daemon may be found in the moment in which it goes down, because nobody had been connected. */
const CONNECT_ATTEMPTS = 4;
const CONNECT_PAUSE_MS = 250;

/**
 * Connects an enforcement point to the daemon of its domain.
 *
 * @returns undefined where none runs and none is to be started; a denial where one is named and cannot be used, or cannot
 *   be started: then nothing may run here, because it holds the logs. Rejects only where measuring does, with its reason.
 */
export async function connectGovernor(
  options: ConnectOptions,
): Promise<ConnectedGovernor | Denial | undefined> {
  const { home, start } = options;
  const onDemand = start && new OnDemand(start);
  const measuring = Promise.all([
    options.components,
    options.measuredAtSeconds ?? Math.floor(Date.now() / 1000),
  ]);
  // Awaited below, unless something else fails first.
  measuring.catch(() => undefined);
  for (let attempt = 1; ; attempt += 1) {
    const link = await reach(home, onDemand).catch(unusable);
    if (link === undefined || isDenial(link)) return link;
    const [components, measuredAtSeconds] = await measuring;
    const governor = await connectOn(link, { ...options, components, measuredAtSeconds }, onDemand).catch(
      unusable,
    );
    if (!isDenial(governor)) {
      return {
        governor,
        log: governor.log,
        audience: governor.audience,
        approvalsUrl: governor.approvalsUrl,
        pinnedDigest: (tool) => governor.pinnedDigest(tool),
        setTools(tools) {
          // As where it is decided here: what cannot be measured is not listed, and what was before stands. The daemon would
          // end the session for it, and all that runs in it.
          governor.setTools(measurableTools(tools));
        },
        setComponents: (measured, atSeconds) => governor.setComponents(measured, atSeconds),
        concludeLater: (executionId, end) => governor.concludeLater(executionId, end),
        close: () => governor.close(),
      };
    }
    if (onDemand === undefined || onDemand.hasFailed || attempt >= CONNECT_ATTEMPTS) return governor;
    await new Promise((resolve) => setTimeout(resolve, CONNECT_PAUSE_MS * attempt));
  }
}

interface Connecting {
  readonly home: Home;
  readonly name: string;
  readonly components: readonly Component[];
  readonly measuredAtSeconds: number;
}

function connectOn(
  first: DaemonLink,
  { home, name, components, measuredAtSeconds }: Connecting,
  onDemand: OnDemand | undefined,
): Promise<RemoteGovernor> {
  let known: DaemonLink | undefined = first;
  return RemoteGovernor.connect({
    name,
    components,
    measuredAtSeconds,
    async link() {
      const link = known ?? (await reach(home, onDemand));
      known = undefined;
      if (link === undefined) throw new Error('no daemon runs: start one with "writ up --detach"');
      if (isDenial(link)) throw new Error(link.detail);
      return link;
    },
  });
}

function unusable(error: unknown): Denial {
  const reason = error instanceof Error ? error.message : 'unknown error';
  return deny('log.unavailable', `the daemon cannot be used: ${reason}`);
}

/** Starts daemons when they are needed; for a while after one could not be started, says so at once. */
class OnDemand {
  readonly #start: () => Promise<unknown>;
  #failure: { readonly error: unknown; readonly atMs: number } | undefined;

  constructor(start: () => Promise<unknown>) {
    this.#start = start;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  async start(): Promise<void> {
    if (this.#failure !== undefined && performance.now() - this.#failure.atMs < START_PAUSE_MS) {
      throw this.#failure.error;
    }
    try {
      await this.#start();
      this.#failure = undefined;
    } catch (error) {
      this.#failure = { error, atMs: performance.now() };
      throw error;
    }
  }
}

/** A link that has answered. */
async function reach(home: Home, onDemand: OnDemand | undefined): Promise<DaemonLink | Denial | undefined> {
  const link = await answering(home);
  if (link !== undefined || onDemand === undefined) return link;
  await onDemand.start();
  return (await answering(home)) ?? deny('log.unavailable', 'the daemon was started, and is gone again');
}

async function answering(home: Home): Promise<DaemonLink | Denial | undefined> {
  const daemon = await reachDaemon(home);
  if (daemon === undefined || isDenial(daemon)) return daemon;
  const unfit = findUnfitDaemon(home, daemon);
  if (unfit === undefined) return daemon.link;
  daemon.link.close();
  return unfit;
}
