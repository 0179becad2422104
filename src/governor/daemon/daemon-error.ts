/** No daemon listens there: it was never started, or is gone. */
export class DaemonAbsent extends Error {}

/** The daemon was reached, or should have been, and no whole answer came. */
export class DaemonFailed extends Error {}

/** The connection with the daemon broke: whether what was asked on it was done is not known. */
export class DaemonGone extends DaemonFailed {}

const ABSENT = new Set(['ENOENT', 'ECONNREFUSED']);

/** What it means that a connection failed. Only where it was never made can nothing have been done. */
export function unreachable(socketPath: string, error: NodeJS.ErrnoException): DaemonAbsent | DaemonFailed {
  return ABSENT.has(error.code ?? '')
    ? new DaemonAbsent(`nothing listens on ${socketPath}`)
    : new DaemonFailed(`the daemon cannot be reached: ${error.code ?? error.message}`);
}
