import { type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  canonicalize,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  sha256Base64url,
} from '../codec/index.ts';
import { findTimeProblem, isSignedBy, parseCompactJwt } from './compact-jwt.ts';
import { ES256 } from './es256-key.ts';

export const WPT_TYPE = 'wpt+jwt';
const MAX_CHARACTERS = 8 * 1024;
const MAX_JTI_CHARACTERS = 256;
/** Farthest that a proof may end in the future. */
export const MAX_PROOF_SECONDS = 300;
export const DEFAULT_PROOF_SECONDS = 60;
/** The member of `oth` that the proof of possession goes by: that of the presentation. */
const POP_MEMBER = 'aat_pop';

export interface WorkloadProofContext {
  readonly wit: string;
  /** The key that the WIT confirms. */
  readonly key: KeyObject;
  /** The identifier of the enforcement point's own instance, as the proof of possession names it. */
  readonly audience: string;
  /** The compact proof of possession of the call. */
  readonly pop: string;
  readonly nowSeconds: number;
}

/**
 * Verifies a Workload Proof Token (draft-ietf-wimse-wpt §2) for one call. INVARIANT: `oth` binds it to the call's proof of
 * possession, which is used once; so this one is, too, without a memory of its own.
 *
 * @returns what is wrong with it, as a text.
 */
export function findWorkloadProofProblem(
  wpt: string,
  { wit, key, audience, pop, nowSeconds }: WorkloadProofContext,
): string | undefined {
  const jwt = parseCompactJwt(wpt, WPT_TYPE, MAX_CHARACTERS);
  if (typeof jwt === 'string') return jwt;
  if (!isSignedBy(jwt, key)) return 'it is not signed with the key that the WIT confirms';
  const { aud, jti, wth, oth, tth, exp } = jwt.claims;
  if (aud !== audience) return 'aud is not this enforcement point';
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_CHARACTERS)
    return 'jti is not a non-empty string';
  if (wth !== sha256Base64url(wit)) return 'wth is not the hash of the WIT';
  if (tth !== undefined) return 'tth is of a token that is not here';
  if (!isJsonObject(oth) || Object.keys(oth).length !== 1 || oth[POP_MEMBER] !== sha256Base64url(pop)) {
    return `oth is not the hash of ${POP_MEMBER} alone`;
  }
  const late = findTimeProblem(jwt.claims, nowSeconds);
  if (late !== undefined) return late;
  return Number(exp) - nowSeconds > MAX_PROOF_SECONDS ? 'it is valid for too long' : undefined;
}

export interface NewWorkloadProof extends Omit<WorkloadProofContext, 'key'> {
  /** The private key whose public half the WIT confirms. */
  readonly privateKey: KeyObject;
  /** Default: 60. */
  readonly lifetimeSeconds?: number;
}

/** Signs a Workload Proof Token for one call. */
export function createWorkloadProof(proof: NewWorkloadProof): string {
  const { wit, privateKey, audience, pop, nowSeconds, lifetimeSeconds = DEFAULT_PROOF_SECONDS } = proof;
  return signEs256(
    { alg: ES256, typ: WPT_TYPE },
    {
      aud: audience,
      exp: Math.floor(nowSeconds) + lifetimeSeconds,
      jti: encodeBase64url(randomBytes(16)),
      wth: sha256Base64url(wit),
      oth: { [POP_MEMBER]: sha256Base64url(pop) },
    },
    privateKey,
  );
}

/** A compact JWS by ES256. */
export function signEs256(header: JsonObject, claims: JsonObject, key: KeyObject): string {
  const input = [header, claims].map((part) => encodeBase64url(Buffer.from(canonicalize(part)))).join('.');
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${encodeBase64url(signature)}`;
}
