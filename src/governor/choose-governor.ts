import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type ConnectedGovernor, connectGovernor } from './daemon/connect-governor.ts';
import { ON_DEMAND_IDLE_SECONDS, startDaemon } from './daemon/start-daemon.ts';
import { type GovernorOptions, openGovernor } from './open.ts';

/**
 * Who decides for an enforcement point.
 *
 * `auto`: the domain's daemon, started where none runs. `running`: a daemon that runs; where none does, nothing is
 * permitted. `found`: a daemon that runs, or, where none does when this is opened, this process. `never`: this process.
 */
export type DaemonUse = 'auto' | 'running' | 'found' | 'never';

/**
 * Opens the governor that an enforcement point uses. INVARIANT: with `auto` and `running` nothing is ever decided in this
 * process; with `found` nothing is once a daemon was used.
 */
export async function chooseGovernor(
  use: DaemonUse,
  options: GovernorOptions,
): Promise<ConnectedGovernor | Denial> {
  if (use !== 'never') {
    const { home } = options;
    const start = () => startDaemon(home, { idleExitSeconds: ON_DEMAND_IDLE_SECONDS });
    const connected = await connectGovernor({ ...options, ...(use === 'auto' && { start }) });
    if (connected !== undefined) return connected;
    if (use !== 'found') {
      return deny('log.unavailable', 'no daemon runs here: start one with "writ up --detach"');
    }
  }
  const opened = await openGovernor(options);
  if (isDenial(opened)) return opened;
  return { ...opened, pinnedDigest: (tool) => opened.view().policy?.bundle.tools.get(tool)?.digest };
}
