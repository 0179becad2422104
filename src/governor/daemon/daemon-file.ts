import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { parseJsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { Home } from '../home.ts';

export const DAEMON = 'writ/daemon@v1';

/** What a running daemon leaves for those who look for it. It stays behind after a crash: that it answers is the proof. */
export interface DaemonAddress {
  readonly pid: number;
  /** Real path of the home whose logs it owns. */
  readonly home: string;
  /** Path of its Unix socket. */
  readonly socket: string;
  readonly version: string;
  /** RFC 3339. */
  readonly startedAt: string;
}

const MAX_FILE_BYTES = 4_096;

/**
 * Where the daemon of this home listens; undefined where none has said so. A home that was copied or moved brings the
 * address of another home's daemon, which is none of this one's.
 *
 * INVARIANT: whoever stands behind the socket decides and writes governance, so its folder must be this user's alone.
 */
export function readDaemonFile(home: Home): DaemonAddress | Denial | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(home.daemonFile);
  } catch {
    return undefined;
  }
  const json = parseJsonObject(bytes, 'request.malformed', { maxBytes: MAX_FILE_BYTES });
  if (isDenial(json)) return deny('request.malformed', `${home.daemonFile}: ${json.detail}`);
  const { type, pid, home: of, socket, version, startedAt } = json;
  if (
    type !== DAEMON ||
    typeof pid !== 'number' ||
    typeof of !== 'string' ||
    typeof socket !== 'string' ||
    !isAbsolute(socket) ||
    typeof version !== 'string' ||
    typeof startedAt !== 'string'
  ) {
    return deny('request.malformed', `${home.daemonFile} is no address of a daemon: remove it`);
  }
  if (of !== realpathSync(home.folder)) return undefined;
  const foreign = findForeignFolder(dirname(socket));
  return foreign ?? { pid, home: of, socket, version, startedAt };
}

function findForeignFolder(folder: string): Denial | undefined {
  try {
    const { mode, uid } = statSync(folder);
    const self = process.geteuid?.();
    if ((mode & 0o077) === 0 && (self === undefined || uid === self)) return undefined;
  } catch {
    // Nobody can answer there, either.
    return undefined;
  }
  return deny('request.malformed', `the daemon's socket is in ${folder}, which is not this user's alone`);
}
