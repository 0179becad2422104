import { decodeBase64url, type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import type { GovernanceState } from '../../governance/index.ts';
import type { VerificationKey } from '../../key/index.ts';

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Longest time an assertion may still be valid: so long its id must be remembered. */
export const MAX_ASSERTION_SECONDS = 300;
const MAX_SKEW_SECONDS = 30;
const MAX_ASSERTION_CHARACTERS = 8192;
const MAX_JTI_CHARACTERS = 256;

export interface AssertionContext {
  readonly state: GovernanceState;
  readonly nowSeconds: number;
  /** What `aud` must name: the issuer, or the token endpoint. */
  readonly audiences: readonly string[];
}

export interface AuthenticatedClient {
  /** URI of the enrolled agent. */
  readonly subject: string;
  readonly key: VerificationKey;
  readonly jti: string;
  readonly expSeconds: number;
}

/**
 * Who signed a client assertion (RFC 7523 §3, `private_key_jwt`): an agent, with a key that it is enrolled with. The key comes
 * from the governance log alone; what a header names is not looked at.
 *
 * @returns why it is nobody's, for the operator's log.
 */
export function verifyClientAssertion(
  assertion: string,
  clientId: string | undefined,
  { state, nowSeconds, audiences }: AssertionContext,
): AuthenticatedClient | string {
  if (assertion.length > MAX_ASSERTION_CHARACTERS) return 'the assertion is too long';
  const [headerPart = '', payloadPart = '', signaturePart = '', ...rest] = assertion.split('.');
  if (rest.length > 0) return 'the assertion is no compact JWS';
  const header = jsonOf(headerPart);
  const claims = jsonOf(payloadPart);
  const signature = decodeBase64url(signaturePart, 'request.malformed');
  if (header === undefined || claims === undefined || isDenial(signature))
    return 'the assertion is no compact JWS';
  if (header.alg !== 'Ed25519' && header.alg !== 'EdDSA') return 'alg is not Ed25519';
  if (header.crit !== undefined) return 'crit lists what is not understood';
  if (header.typ !== undefined && header.typ !== 'JWT' && header.typ !== 'client-authentication+jwt') {
    return 'typ is not that of a client assertion';
  }
  const { iss, sub, aud, exp, nbf, iat, jti } = claims;
  if (typeof sub !== 'string' || iss !== sub) return 'iss and sub are not the client';
  if (clientId !== undefined && clientId !== sub) return 'client_id is another client';
  const agent = state.agentBySubject(sub);
  if (agent === undefined) return 'the client is no enrolled agent';
  // INVARIANT: verified before anything else of it is believed.
  const input = Buffer.from(`${headerPart}.${payloadPart}`, 'latin1');
  const key = agent.keys.find((one) => one.verify(input, signature));
  if (key === undefined) return 'no key of the client signed it';
  const named = typeof aud === 'string' ? [aud] : Array.isArray(aud) ? aud : [];
  // One audience: an assertion for several servers could be replayed by each of them.
  if (named.length !== 1 || !audiences.includes(String(named[0]))) return 'aud is not this server alone';
  if (!isTime(exp) || exp <= nowSeconds) return 'it has expired';
  if (exp > nowSeconds + MAX_ASSERTION_SECONDS) return `it is valid for more than ${MAX_ASSERTION_SECONDS} s`;
  if (nbf !== undefined && !(isTime(nbf) && nbf <= nowSeconds + MAX_SKEW_SECONDS))
    return 'it is not valid yet';
  if (iat !== undefined && !(isTime(iat) && iat <= nowSeconds + MAX_SKEW_SECONDS))
    return 'it is from the future';
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_CHARACTERS) return 'it has no jti';
  return { subject: sub, key, jti, expSeconds: exp };
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function jsonOf(part: string): JsonObject | undefined {
  const bytes = decodeBase64url(part, 'request.malformed');
  const json = isDenial(bytes) ? bytes : parseJsonObject(bytes, 'request.malformed', { maxDepth: 8 });
  return isDenial(json) ? undefined : json;
}
