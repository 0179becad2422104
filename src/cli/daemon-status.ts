import { type Denial, isDenial } from '../denial/index.ts';
import { type AnsweringDaemon, daemonLogFile, type Home, reachDaemon } from '../governor/index.ts';
import { denied, failure } from './cli-error.ts';

export interface RunningDaemon {
  readonly socket: string;
  readonly status: {
    readonly pid: number;
    readonly startedAt: string;
    readonly version: string;
    readonly ready: boolean;
    readonly problems: readonly string[];
    readonly governance: { readonly size: number; readonly ageSeconds: number };
    readonly sessions: number;
    readonly running: number;
    /** Where it ends by itself: once nobody has been connected for so long. */
    readonly idleExitSeconds?: number;
  };
}

/** The daemon of a domain, if one answers; ends the command where one is there and does not. */
export async function findDaemon(home: Home): Promise<RunningDaemon | undefined> {
  let daemon: AnsweringDaemon | Denial | undefined;
  try {
    daemon = await reachDaemon(home);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown error';
    throw failure(
      'daemon.failed',
      `the daemon of ${home.domain} does not answer: ${reason}`,
      `see ${daemonLogFile(home)}, or end the process that ${home.daemonFile} names`,
    );
  }
  if (isDenial(daemon)) throw denied(daemon, `look at ${home.daemonFile}`);
  return daemon && runningDaemon(daemon);
}

export function runningDaemon({ socket, status, link }: AnsweringDaemon): RunningDaemon {
  link.close();
  // Told to people and passed on as it is; nothing is decided on it.
  return { socket, status: status as unknown as RunningDaemon['status'] };
}
