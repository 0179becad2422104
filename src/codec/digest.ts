import { createHash, hash } from 'node:crypto';

/** A SHA-256 digest as text, `sha256:` and 64 lowercase hex digits (the form of OCI and in-toto). */
export type Digest = `sha256:${string}`;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && DIGEST.test(text);
}

export function digestOf(data: string | Uint8Array): Digest {
  return `sha256:${hash('sha256', data, 'hex')}`;
}

/** SHA-256 as base64url, the form AAT-02 uses for `par_hash` and `aat_hash`. */
export function sha256Base64url(data: string | Uint8Array): string {
  return hash('sha256', data, 'base64url');
}

/** Bytes of a SHA-256 digest. */
export const SHA256_BYTES = 32;

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) {
    // Taken over from a string: a buffer that Node makes outside V8's heap costs more than hashing a short input.
    const text = hash('sha256', only, 'binary');
    const digest = new Uint8Array(SHA256_BYTES);
    for (let at = 0; at < SHA256_BYTES; at += 1) digest[at] = text.charCodeAt(at);
    return digest;
  }
  const hasher = createHash('sha256');
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}

/** Writes SHA-256 of `data` to `into` from `at` on: for many digests side by side, none an object of its own. */
export function writeSha256(into: Buffer, at: number, data: Uint8Array): void {
  into.write(hash('sha256', data, 'binary'), at, 'latin1');
}
