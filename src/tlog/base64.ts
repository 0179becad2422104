import { decodeBase64url, encodeBase64url } from '../codec/base64url.ts';
import { isDenial } from '../denial/index.ts';

const ALPHABET = /^[A-Za-z0-9+/]*={0,2}$/;

/** Standard base64 with padding (RFC 4648 §4), as every C2SP text format uses. */
export function encodeBase64(bytes: Uint8Array): string {
  const text = encodeBase64url(bytes).replaceAll('-', '+').replaceAll('_', '/');
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}

/** The bytes of base64 text in its one canonical spelling: padded, unused bits zero (RFC 4648 §3.5). */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !ALPHABET.test(text)) return undefined;
  const unpadded = text.endsWith('==') ? text.slice(0, -2) : text.endsWith('=') ? text.slice(0, -1) : text;
  const bytes = decodeBase64url(unpadded.replaceAll('+', '-').replaceAll('/', '_'), 'log.unavailable');
  return isDenial(bytes) ? undefined : bytes;
}
