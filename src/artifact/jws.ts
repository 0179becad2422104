import {
  canonicalize,
  decodeBase64url,
  encodeBase64url,
  type JsonObject,
  parseJsonObject,
} from '../codec/index.ts';
import { type Denial, deny, isDenial, type ReasonCode } from '../denial/index.ts';
import type { Signer, VerificationKey } from '../key/index.ts';

/** `typ` of a token and of a proof of possession (AAT-02 §3.5). */
export type JwsType = 'aat+jwt' | 'aat-pop+jwt';

/** The algorithm allowlist (AAT-02 §9.12): fully specified, so the deprecated `EdDSA` is not on it (RFC 9864). */
const ALGORITHM = 'Ed25519';

const MAX_HEADER_DEPTH = 16;

/** A JWS in compact serialization (RFC 7515 §7.1), taken apart but not verified. */
export interface CompactJws {
  /** The header segment as presented. */
  readonly header: string;
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** `header.payload` exactly as presented (RFC 7515 §5.1). */
  readonly signingInput: string;
}

/** Takes a compact JWS apart; payload and signature must be canonical base64url. */
export function splitCompact(text: string, code: ReasonCode): CompactJws | Denial {
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  if (first < 1 || second < 0 || text.indexOf('.', second + 1) >= 0) return deny(code, 'not a compact JWS');
  const payload = decodeBase64url(text.slice(first + 1, second), code);
  if (isDenial(payload)) return deny(code, `JWS payload: ${payload.detail}`);
  const signature = decodeBase64url(text.slice(second + 1), code);
  if (isDenial(signature)) return deny(code, `JWS signature: ${signature.detail}`);
  return { header: text.slice(0, first), payload, signature, signingInput: text.slice(0, second) };
}

export interface HeaderCodes {
  readonly malformed: ReasonCode;
  /** For an algorithm that is not allowed. */
  readonly algorithm: ReasonCode;
}

function plainHeader(typ: JwsType): string {
  return encodeBase64url(Buffer.from(canonicalize({ alg: ALGORITHM, typ })));
}
const PLAIN_HEADERS: Readonly<Record<JwsType, string>> = {
  'aat+jwt': plainHeader('aat+jwt'),
  'aat-pop+jwt': plainHeader('aat-pop+jwt'),
};

/**
 * Steps 3a, 4a and 7a (AAT-02 §8, §3.5). Keys in `jwk`, `jku`, `x5c` and `x5u` are ignored: a key comes from a trust
 * anchor or from `cnf` alone. Every key here is Ed25519, so the one allowed `alg` is consistent with it.
 *
 * INVARIANT: no critical parameter is understood, so any `crit` denies (RFC 7515 §4.1.11).
 */
export function checkHeader(
  jws: CompactJws,
  typ: JwsType,
  codes: HeaderCodes,
): { readonly kid?: string } | Denial {
  if (jws.header === PLAIN_HEADERS[typ]) return {};
  const bytes = decodeBase64url(jws.header, codes.malformed);
  if (isDenial(bytes)) return deny(codes.malformed, `JWS header: ${bytes.detail}`);
  const header = parseJsonObject(bytes, codes.malformed, { maxDepth: MAX_HEADER_DEPTH });
  if (isDenial(header)) return deny(codes.malformed, `JWS header: ${header.detail}`);
  if (header.alg !== ALGORITHM) return deny(codes.algorithm, 'alg is not on the allowlist');
  if (header.typ !== typ) return deny(codes.malformed, `typ is not ${typ}`);
  if (header.crit !== undefined)
    return deny(codes.malformed, 'crit lists parameters that are not understood');
  return typeof header.kid === 'string' ? { kid: header.kid } : {};
}

export function verifySignature(jws: CompactJws, key: VerificationKey): boolean {
  return key.verify(Buffer.from(jws.signingInput, 'latin1'), jws.signature);
}

/** Signs claims as a compact JWS with a JCS payload (AAT-02 §3.5, §7.2). */
export function signCompact(typ: JwsType, claims: JsonObject, signer: Signer): string {
  const payload = encodeBase64url(Buffer.from(canonicalize(claims)));
  const signingInput = `${PLAIN_HEADERS[typ]}.${payload}`;
  return `${signingInput}.${encodeBase64url(signer.sign(Buffer.from(signingInput, 'latin1')))}`;
}
