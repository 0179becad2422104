import { type KeyObject, verify } from 'node:crypto';
import { decodeBase64url, type JsonObject, parseJsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { ES256 } from './es256-key.ts';

/** A JWT in compact serialization (RFC 7515 §7.1), taken apart and parsed, but not verified. */
export interface CompactJwt {
  readonly header: JsonObject;
  readonly claims: JsonObject;
  readonly signature: Buffer;
  readonly signingInput: string;
}

const MAX_HEADER_BYTES = 2048;
const MAX_DEPTH = 8;
/** r and s, 32 bytes each (RFC 7518 §3.4): a signature in DER is none. */
const SIGNATURE_BYTES = 64;

/**
 * Takes a JWT apart and reads it strictly. INVARIANT: ES256 is the one algorithm there is (RFC 8725 §3.1), so no key is ever
 * used with another one; no critical parameter is understood; keys that a header brings are ignored.
 *
 * @returns what is wrong with it, as a text.
 */
export function parseCompactJwt(text: string, typ: string, maxCharacters: number): CompactJwt | string {
  if (text.length > maxCharacters) return `it is longer than ${maxCharacters} characters`;
  const parts = text.split('.');
  const [head, body, tail] = parts;
  if (parts.length !== 3 || head === undefined || body === undefined || tail === undefined) {
    return 'it is not a compact JWS';
  }
  const [headerBytes, payload, signature] = [head, body, tail].map((part) =>
    decodeBase64url(part, 'request.malformed'),
  );
  if (headerBytes === undefined || payload === undefined || signature === undefined) return 'it lacks a part';
  if (isDenial(headerBytes) || isDenial(payload) || isDenial(signature)) return 'a part is not base64url';
  const header = parseJsonObject(headerBytes, 'request.malformed', {
    maxBytes: MAX_HEADER_BYTES,
    maxDepth: MAX_DEPTH,
  });
  if (isDenial(header)) return `header: ${header.detail}`;
  if (header.alg !== ES256) return 'alg is not ES256';
  if (header.typ !== typ) return `typ is not ${typ}`;
  if (Object.hasOwn(header, 'crit')) return 'crit lists parameters that are not understood';
  const claims = parseJsonObject(payload, 'request.malformed', {
    maxBytes: maxCharacters,
    maxDepth: MAX_DEPTH,
  });
  if (isDenial(claims)) return `claims: ${claims.detail}`;
  return { header, claims, signature, signingInput: `${head}.${body}` };
}

export function isSignedBy({ signingInput, signature }: CompactJwt, key: KeyObject): boolean {
  if (signature.byteLength !== SIGNATURE_BYTES) return false;
  try {
    return verify('sha256', Buffer.from(signingInput), { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    return false;
  }
}

/** What of `exp` and `nbf` does not hold at a time (RFC 7519 §4.1.4, §4.1.5); `exp` is required. No leeway. */
export function findTimeProblem({ exp, nbf }: JsonObject, nowSeconds: number): string | undefined {
  if (typeof exp !== 'number') return 'exp is not a NumericDate';
  if (nbf !== undefined && typeof nbf !== 'number') return 'nbf is not a NumericDate';
  if (!(nowSeconds < exp)) return 'it has expired';
  if (nbf !== undefined && !(nowSeconds >= nbf)) return 'it is not valid yet';
  return undefined;
}
