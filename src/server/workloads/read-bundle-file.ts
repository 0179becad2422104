import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { type Denial, deny } from '../../denial/index.ts';
import { parseTrustBundle, type TrustBundle } from '../../workload/index.ts';

const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Reads the trust bundle of a trust domain. INVARIANT: whoever can write the file says who may be which workload, so one that
 * others own or can write is refused; root and the user of this process are not others. It is checked on the opened
 * descriptor, so the file cannot be swapped in between.
 */
export function readBundleFile(trustDomain: string, file: string): TrustBundle | Denial {
  try {
    // Non-blocking, so that a pipe in its place is refused instead of waited on.
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const status = fstatSync(descriptor);
      const { mode, size, uid } = status;
      if (!status.isFile()) return unusable(file, 'it is not a regular file');
      const self = process.geteuid?.();
      if (self !== undefined && uid !== 0 && uid !== self) {
        return unusable(file, `another user owns it (uid ${uid})`);
      }
      if ((mode & 0o022) !== 0) return unusable(file, `others can write it (chmod go-w ${file})`);
      if (size > MAX_FILE_BYTES) return unusable(file, `it is longer than ${MAX_FILE_BYTES} bytes`);
      return parseTrustBundle(trustDomain, readFileSync(descriptor));
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return unusable(file, `it cannot be read: ${code}`);
  }
}

function unusable(file: string, problem: string): Denial {
  return deny('identity.mismatch', `trust bundle ${file}: ${problem}`);
}
