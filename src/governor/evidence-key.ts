import { randomBytes } from 'node:crypto';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { readPrivateFile } from '../key/index.ts';
import { writeFileDurably } from './home.ts';

const KEY_BYTES = 32;

/** Makes the key that seals the evidence store of a trust domain: 32 random bytes as hex, mode 0600. */
export function createEvidenceKey(path: string): void {
  writeFileDurably(path, `${randomBytes(KEY_BYTES).toString('hex')}\n`);
}

export function readEvidenceKey(path: string): Uint8Array | Denial {
  const text = readPrivateFile(path);
  if (isDenial(text)) return text;
  return /^[0-9a-f]{64}$/.test(text.trim())
    ? Buffer.from(text.trim(), 'hex')
    : deny('request.malformed', `key ${path} is not 32 bytes of hex`);
}
