import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { type Denial, deny } from '../denial/index.ts';
import { writeFileDurably } from './home.ts';

const KEY_BYTES = 32;

/** Makes the key that seals the evidence store of a trust domain: 32 random bytes as hex, mode 0600. */
export function createEvidenceKey(path: string): void {
  writeFileDurably(path, `${randomBytes(KEY_BYTES).toString('hex')}\n`);
}

export function readEvidenceKey(path: string): Uint8Array | Denial {
  try {
    // Non-blocking, so that a pipe in its place is refused instead of waited on.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const status = fstatSync(descriptor);
      if (!status.isFile()) return deny('request.malformed', `key ${path} is not a regular file`);
      if ((status.mode & 0o077) !== 0) {
        return deny('request.malformed', `key ${path} can be read by others: run chmod 600 ${path}`);
      }
      const text = readFileSync(descriptor, 'utf8').trim();
      if (!/^[0-9a-f]{64}$/.test(text))
        return deny('request.malformed', `key ${path} is not 32 bytes of hex`);
      return Buffer.from(text, 'hex');
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return deny('request.malformed', `key ${path} cannot be read: run "writ doctor"`);
  }
}
