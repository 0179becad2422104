import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { Home } from '../home.ts';
import { programVersion } from '../program.ts';
import { DaemonAbsent } from './daemon-error.ts';
import { readDaemonFile } from './daemon-file.ts';
import { DaemonLink } from './daemon-link.ts';

/** A daemon that answers. */
export interface AnsweringDaemon {
  readonly socket: string;
  readonly link: DaemonLink;
  /** What it says of itself, as it came. */
  readonly status: Readonly<Record<string, unknown>>;
}

/**
 * The daemon of a home, if one answers; the link is the caller's to close.
 *
 * @throws DaemonFailed where one is there and does not answer.
 */
export async function reachDaemon(home: Home): Promise<AnsweringDaemon | Denial | undefined> {
  const address = readDaemonFile(home);
  if (address === undefined || isDenial(address)) return address;
  const link = new DaemonLink(address.socket);
  try {
    const { body } = await link.send('GET', '/v1/status');
    return { socket: address.socket, link, status: body };
  } catch (error) {
    link.close();
    if (error instanceof DaemonAbsent) return undefined;
    throw error;
  }
}

/**
 * Why an enforcement point of this program cannot use that daemon.
 *
 * INVARIANT: gateway and daemon are one governor in two processes, so they must be of one version: what one of them means
 * by a message is what the other one does.
 */
export function findUnfitDaemon(home: Home, { status }: AnsweringDaemon): Denial | undefined {
  const { domain, version, pid } = status;
  if (domain !== home.domain) {
    return deny(
      'log.unavailable',
      `process ${String(pid)} is the daemon of ${String(domain)}, not of ${home.domain}: end it, and try again`,
    );
  }
  const own = programVersion();
  if (version === own) return undefined;
  return deny(
    'log.unavailable',
    `the daemon (process ${String(pid)}) is version ${String(version)} of Writ, this is ${own}: end it with "writ up down", and the next gateway starts one of its own version`,
  );
}
