import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { type Denial, deny } from '../denial/index.ts';

const MAX_PRIVATE_FILE_BYTES = 16_384;

/**
 * Reads a file that holds a secret. Refuses one that others can read or that is owned by someone else: the permission is
 * checked on the opened descriptor, so the file cannot be swapped in between.
 *
 * @param what it is called where it is refused.
 */
export function readPrivateFile(path: string, what = 'key'): string | Denial {
  try {
    // Non-blocking, so that a pipe in its place is refused instead of waited on.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const status = fstatSync(descriptor);
      if (!status.isFile()) return deny('request.malformed', `${what} ${path} is not a regular file`);
      if ((status.mode & 0o077) !== 0) {
        return deny('request.malformed', `${what} ${path} can be read by others: run chmod 600 ${path}`);
      }
      const self = process.getuid?.();
      if (self !== undefined && self !== 0 && status.uid !== self) {
        return deny('request.malformed', `${what} ${path} is owned by another user`);
      }
      if (status.size > MAX_PRIVATE_FILE_BYTES)
        return deny('request.too_large', `${what} ${path} is too large`);
      return readFileSync(descriptor, 'utf8');
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return deny('request.malformed', `${what} ${path} cannot be read: ${errorCode(error)}`);
  }
}

export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
