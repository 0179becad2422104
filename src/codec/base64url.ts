import { type Denial, deny, type ReasonCode } from '../denial/index.ts';

const ALPHABET = /^[A-Za-z0-9_-]*$/;

/** base64url without padding (RFC 4648 §5, RFC 7515 appendix C). */
export function encodeBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

/**
 * Decodes base64url text, accepting only the one canonical spelling of its bytes: no padding, no other alphabet, and
 * unused trailing bits zero (RFC 4648 §3.5).
 */
export function decodeBase64url(text: string, code: ReasonCode): Buffer | Denial {
  if (!ALPHABET.test(text)) return deny(code, 'not base64url');
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : deny(code, 'base64url is not canonical');
}
