import { readFileSync } from 'node:fs';

/** Where the system does not say how many files may be open. */
const ASSUMED_FILES = 1024;
const MAX_LOCAL_CONNECTIONS = 20_000;

export interface ConnectionBounds {
  /** Over TCP, where it is listened on. */
  readonly remote: number;
  /** On the Unix socket. */
  readonly local: number;
}

/**
 * INVARIANT: connections never take the last files. A quarter of what may be open is the logs': one that cannot open its
 * files fails, and then every decision is denied. Of the rest, a quarter is for the Unix socket: whoever floods TCP does not
 * keep the enforcement points of this machine out.
 *
 * @param configured `limits.maxConnections`; undefined where TCP is not listened on.
 */
export function connectionBounds(
  configured: number | undefined,
  files: number = openFileLimit(),
): ConnectionBounds {
  const all = Math.max(2, Math.floor(files * 0.75));
  const remote = configured === undefined ? 0 : Math.min(configured, Math.floor(all * 0.75));
  return { remote, local: Math.min(MAX_LOCAL_CONNECTIONS, all - remote) };
}

/** Files this process may have open; Node has raised it as far as it may. */
function openFileLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(limits) ?? [];
    if (soft === 'unlimited') return Number.POSITIVE_INFINITY;
    return soft === undefined ? ASSUMED_FILES : Number(soft);
  } catch {
    return ASSUMED_FILES;
  }
}
