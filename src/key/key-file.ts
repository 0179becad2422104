import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { SigningKey } from './signing-key.ts';

const MAX_KEY_FILE_BYTES = 16_384;

/**
 * Reads a PKCS#8 PEM key file. Refuses one that others can read or that is owned by someone else: the permission is
 * checked on the opened descriptor, so the file cannot be swapped in between.
 */
export function readKeyFile(path: string, passphrase?: string): SigningKey | Denial {
  let pem: string;
  try {
    // Non-blocking, so that a pipe in its place is refused instead of waited on.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const status = fstatSync(descriptor);
      if (!status.isFile()) return deny('request.malformed', `key ${path} is not a regular file`);
      if ((status.mode & 0o077) !== 0) {
        return deny('request.malformed', `key ${path} can be read by others: run chmod 600 ${path}`);
      }
      const self = process.getuid?.();
      if (self !== undefined && self !== 0 && status.uid !== self) {
        return deny('request.malformed', `key ${path} is owned by another user`);
      }
      if (status.size > MAX_KEY_FILE_BYTES) return deny('request.too_large', `key ${path} is too large`);
      pem = readFileSync(descriptor, 'utf8');
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return deny('request.malformed', `key ${path} cannot be read: ${errorCode(error)}`);
  }
  if (pem.includes('ENCRYPTED') && passphrase === undefined) {
    return deny('request.malformed', `key ${path} is encrypted: give its passphrase`);
  }
  const key = SigningKey.fromPem(pem, 'request.malformed', passphrase);
  return isDenial(key) ? deny(key.code, `key ${path}: ${key.detail}`) : key;
}

/** Writes a new key file with mode 0600, durably. Refuses to replace an existing one. */
export function writeKeyFile(path: string, key: SigningKey, passphrase?: string): Denial | undefined {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const descriptor = openSync(path, 'wx', 0o600);
    try {
      writeSync(descriptor, key.toPem(passphrase));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    return undefined;
  } catch (error) {
    return deny('request.malformed', `key ${path} cannot be written: ${errorCode(error)}`);
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
