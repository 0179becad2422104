import type { KeyObject } from 'node:crypto';
import { sha256Base64url } from '../codec/index.ts';

/** The members that RFC 7638 §3.2 and RFC 8037 §2 count, in their order. */
const COUNTED: Readonly<Record<string, readonly string[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
};

/** RFC 7638 SHA-256 thumbprint of a public key, base64url; undefined for a kind that is not used here. */
export function jwkThumbprint(key: KeyObject): string | undefined {
  const jwk: Readonly<Record<string, unknown>> = { ...key.export({ format: 'jwk' }) };
  const counted = COUNTED[String(jwk.kty)];
  return (
    counted && sha256Base64url(JSON.stringify(Object.fromEntries(counted.map((name) => [name, jwk[name]]))))
  );
}
