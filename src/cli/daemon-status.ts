import { isDenial } from '../denial/index.ts';
import { DaemonAbsent, type DaemonLink, type Home, linkToDaemon, readDaemonFile } from '../governor/index.ts';
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
  };
}

/** The daemon of a domain, if one answers; ends the command where one is there and does not. */
export async function findDaemon(home: Home): Promise<RunningDaemon | undefined> {
  const address = readDaemonFile(home);
  const link = linkToDaemon(home);
  if (isDenial(link)) throw denied(link, `look at ${home.daemonFile}`);
  if (address === undefined || isDenial(address) || link === undefined) return undefined;
  try {
    return { socket: address.socket, status: await statusOf(link) };
  } catch (error) {
    if (error instanceof DaemonAbsent) return undefined;
    const reason = error instanceof Error ? error.message : 'unknown error';
    throw failure(
      'daemon.failed',
      `the daemon of ${home.domain} (process ${address.pid}) does not answer: ${reason}`,
      `see ${home.folder}/run/daemon.log, or end that process`,
    );
  } finally {
    link.close();
  }
}

async function statusOf(link: DaemonLink): Promise<RunningDaemon['status']> {
  const { body } = await link.send('GET', '/v1/status');
  // Told to people and passed on as it is; nothing is decided on it.
  return body as unknown as RunningDaemon['status'];
}
