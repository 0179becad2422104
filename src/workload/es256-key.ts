import { createPublicKey, type KeyObject } from 'node:crypto';
import { decodeBase64url, isJsonObject, type JsonObject, type JsonValue } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';

export const ES256 = 'ES256';

const COORDINATE_BYTES = 32;
/** Private and symmetric JWK parameters (RFC 7518 §6): their presence leaks a key. */
const PRIVATE_PARAMETERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

/**
 * Parses the JWK of a P-256 public key (RFC 7518 §6.2) from an untrusted source: canonical coordinates of a point on the
 * curve, for ES256 and nothing else.
 *
 * @returns what is wrong with it, as a text.
 */
export function parseEs256Jwk(value: JsonValue | undefined): KeyObject | string {
  if (!isJsonObject(value)) return 'the jwk is not an object';
  const problem = findProblem(value);
  if (problem !== undefined) return problem;
  const { x, y } = value;
  if (!isCoordinate(x) || !isCoordinate(y)) return 'the jwk has no canonical coordinates';
  try {
    return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  } catch {
    return 'the jwk is no point of P-256';
  }
}

function findProblem(jwk: JsonObject): string | undefined {
  if (PRIVATE_PARAMETERS.some((name) => Object.hasOwn(jwk, name)))
    return 'the jwk carries a private parameter';
  if (jwk.kty !== 'EC' || jwk.crv !== 'P-256') return 'the jwk is not of P-256';
  if (jwk.alg !== undefined && jwk.alg !== ES256) return 'the jwk is not for ES256';
  return undefined;
}

function isCoordinate(value: JsonValue | undefined): value is string {
  if (typeof value !== 'string') return false;
  const bytes = decodeBase64url(value, 'request.malformed');
  return !isDenial(bytes) && bytes.byteLength === COORDINATE_BYTES;
}
