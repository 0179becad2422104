import type { Digest } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { Component } from '../../environment/index.ts';
import type { MeasuredTool } from '../enforcement-point.ts';
import type { Governor } from '../governor.ts';
import type { Home } from '../home.ts';
import { DaemonAbsent } from './daemon-error.ts';
import { type DaemonLink, linkToDaemon } from './daemon-link.ts';
import { RemoteGovernor } from './remote-governor.ts';

export interface ConnectOptions {
  readonly home: Home;
  /** Configured name of the enforcement point. */
  readonly name: string;
  readonly components: readonly Component[] | Promise<readonly Component[]>;
  /** Unix seconds; default: now. */
  readonly measuredAtSeconds?: number;
  /** Starts a daemon where none runs, and resolves when it answers. Without it, none is started. */
  readonly start?: () => Promise<void>;
}

/** The governor of the domain's daemon, as an enforcement point uses it. */
export interface ConnectedGovernor {
  readonly governor: Pick<Governor, 'run' | 'settle'>;
  /** Name of the execution log, and the audience that proofs must name. */
  readonly log: string;
  readonly audience: string;
  /** Digest that the active policy pins a tool's definition to. */
  pinnedDigest(tool: string): Digest | undefined;
  setTools(tools: readonly MeasuredTool[]): void;
  /** Tells what was measured again of the runtime; what runs is decided again. */
  setComponents(components: readonly Component[], measuredAtSeconds: number): void;
  close(): Promise<void>;
}

/**
 * Connects an enforcement point to the daemon of its domain.
 *
 * @returns undefined where none runs and none is to be started; a denial where one is named and cannot be used: then
 *   nothing may run, because it holds the logs.
 */
export async function connectGovernor(
  options: ConnectOptions,
): Promise<ConnectedGovernor | Denial | undefined> {
  const { home, name, start } = options;
  const measuredAtSeconds = options.measuredAtSeconds ?? Math.floor(Date.now() / 1000);
  try {
    const first = await reach(home, start);
    if (first === undefined || isDenial(first)) return first;
    const components = await options.components;
    let known: DaemonLink | undefined = first;
    const governor = await RemoteGovernor.connect({
      name,
      components,
      measuredAtSeconds,
      async link() {
        const link = known ?? (await reach(home, start));
        known = undefined;
        if (link === undefined) throw new Error('no daemon runs');
        if (isDenial(link)) throw new Error(link.detail);
        return link;
      },
    });
    return {
      governor,
      log: governor.log,
      audience: governor.audience,
      pinnedDigest: (tool) => governor.pinnedDigest(tool),
      setTools: (tools) => governor.setTools(tools),
      setComponents: (measured, atSeconds) => governor.setComponents(measured, atSeconds),
      close: () => governor.close(),
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown error';
    return deny('log.unavailable', `the daemon cannot be used: ${reason}`);
  }
}

/** A link that has answered. */
async function reach(home: Home, start: ConnectOptions['start']): Promise<DaemonLink | Denial | undefined> {
  const link = await answering(home);
  if (link !== undefined || start === undefined) return link;
  await start();
  return answering(home);
}

async function answering(home: Home): Promise<DaemonLink | Denial | undefined> {
  const link = linkToDaemon(home);
  if (link === undefined || isDenial(link)) return link;
  try {
    await link.send('GET', '/v1/status');
    return link;
  } catch (error) {
    link.close();
    if (error instanceof DaemonAbsent) return undefined;
    throw error;
  }
}
