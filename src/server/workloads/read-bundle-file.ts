import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { type Denial, deny } from '../../denial/index.ts';
import { parseTrustBundle, type TrustBundle } from '../../workload/index.ts';

const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Reads the trust bundle of a trust domain. INVARIANT: whoever can write the file says who may be which workload, so one that
 * others can write is refused.
 */
export function readBundleFile(trustDomain: string, file: string): TrustBundle | Denial {
  try {
    const descriptor = openSync(file, 'r');
    try {
      const { mode, size } = fstatSync(descriptor);
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
