import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { MlDsaSigningKey } from './ml-dsa-key.ts';
import { errorCode, readPrivateFile } from './private-file.ts';
import { SigningKey } from './signing-key.ts';

/** Reads a PKCS#8 PEM key file, which must be private (`readPrivateFile`). */
export function readKeyFile(path: string, passphrase?: string): SigningKey | Denial {
  const pem = readPrivateFile(path);
  if (isDenial(pem)) return pem;
  if (pem.includes('ENCRYPTED') && passphrase === undefined) {
    return deny('request.malformed', `key ${path} is encrypted: give its passphrase`);
  }
  const key = SigningKey.fromPem(pem, 'request.malformed', passphrase);
  return isDenial(key) ? deny(key.code, `key ${path}: ${key.detail}`) : key;
}

/** Like `readKeyFile`, for a key of the post-quantum kind. */
export function readMlDsaKeyFile(path: string): MlDsaSigningKey | Denial {
  const pem = readPrivateFile(path);
  if (isDenial(pem)) return pem;
  const key = MlDsaSigningKey.fromPem(pem, 'request.malformed');
  return isDenial(key) ? deny(key.code, `key ${path}: ${key.detail}`) : key;
}

/** Writes a new key file with mode 0600, durably. Refuses to replace an existing one. */
export function writeKeyFile(
  path: string,
  key: SigningKey | MlDsaSigningKey,
  passphrase?: string,
): Denial | undefined {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const descriptor = openSync(path, 'wx', 0o600);
    try {
      writeSync(descriptor, key instanceof SigningKey ? key.toPem(passphrase) : key.toPem());
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    return undefined;
  } catch (error) {
    return deny('request.malformed', `key ${path} cannot be written: ${errorCode(error)}`);
  }
}
