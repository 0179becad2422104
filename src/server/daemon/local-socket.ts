import { chmodSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { canonicalize, sha256 } from '../../codec/index.ts';
import { DAEMON, type DaemonAddress, type Home, writeFileDurably } from '../../governor/index.ts';
import type { Api } from '../api/operation.ts';
import { type ApiServer, createApiServer } from './api-server.ts';

/** `sun_path` has 108 bytes on Linux, 104 on macOS, with its end. */
const MAX_SOCKET_PATH_BYTES = 100;
const MAX_HEADER_BYTES = 16 * 1024;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;

/** `run/writ.sock` in the home; where that is too long a path for a socket, in a folder of this user's own. */
export function socketPathOf(home: Home): string {
  const inside = join(dirname(home.daemonFile), 'writ.sock');
  if (Buffer.byteLength(inside) <= MAX_SOCKET_PATH_BYTES) return inside;
  const name = Buffer.from(sha256(Buffer.from(home.folder)))
    .toString('hex')
    .slice(0, 16);
  return join(tmpdir(), `writ-${process.getuid?.() ?? 'user'}-${name}`, 'writ.sock');
}

/**
 * Serves an API on a Unix socket in a folder that is this user's alone: that is who may call it.
 * The caller holds the lock that makes it the only one, so a socket that lies there is a dead one's.
 */
export async function listenOnSocket(path: string, api: Api, maxConnections: number): Promise<ApiServer> {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid } = statSync(folder);
  if (process.geteuid !== undefined && uid !== process.geteuid()) {
    throw new Error(`${folder} belongs to another user`);
  }
  chmodSync(folder, 0o700);
  rmSync(path, { force: true });
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Never: a caller that sends on a connection just being closed would not know whether it was decided.
    keepAliveTimeout: 0,
  };
  const made = createApiServer(api, options, false);
  const { server } = made;
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
  chmodSync(path, 0o600);
  return made;
}

/** Tells where the daemon is, once it answers there. */
export function writeDaemonFile(home: Home, address: DaemonAddress): void {
  writeFileDurably(home.daemonFile, `${canonicalize({ type: DAEMON, ...address })}\n`, 0o600);
}
