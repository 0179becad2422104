import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';

/** Where a supervised process finds its connection to the daemon: `<descriptor>:<path of the daemon's socket>`. */
export const SUPERVISED_VARIABLE = 'WRIT_SUPERVISED';
export const SUPERVISED_DESCRIPTOR = 3;

/**
 * The connection that the daemon gave this process when it started it, once; undefined where there is none, or it is another
 * daemon's. What is started from here is not told of it: the descriptor is not inherited, and its number may be anything's.
 */
export function takeSupervisedConnection(socketPath: string): Socket | undefined {
  const given = process.env[SUPERVISED_VARIABLE];
  if (given !== `${SUPERVISED_DESCRIPTOR}:${socketPath}`) return undefined;
  delete process.env[SUPERVISED_VARIABLE];
  try {
    if (!fstatSync(SUPERVISED_DESCRIPTOR).isSocket()) return undefined;
    return new Socket({ fd: SUPERVISED_DESCRIPTOR, readable: true, writable: true });
  } catch {
    return undefined;
  }
}
