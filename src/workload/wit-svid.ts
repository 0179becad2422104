import type { KeyObject } from 'node:crypto';
import { isJsonObject } from '../codec/index.ts';
import { findTimeProblem, isSignedBy, parseCompactJwt } from './compact-jwt.ts';
import { ES256, parseEs256Jwk } from './es256-key.ts';
import { parseWorkloadId, type SpiffeId } from './spiffe-id.ts';
import type { TrustBundle, TrustBundles } from './trust-bundle.ts';

/** A WIT-SVID that verified. It is no bearer token: it says nothing of who presents it. */
export interface VerifiedWit {
  readonly id: string;
  readonly expSeconds: number;
  /** `cnf.jwk`: what the proof must be made with. */
  readonly key: KeyObject;
}

export const WIT_TYPE = 'wit+jwt';
export const MAX_WIT_CHARACTERS = 16 * 1024;

/** The trust domain that a token claims to be of: what bundle it has to be verified with. Nothing is verified. */
export function claimedTrustDomainOfWit(wit: string): string | undefined {
  const jwt = parseCompactJwt(wit, WIT_TYPE, MAX_WIT_CHARACTERS);
  return typeof jwt === 'string' ? undefined : subjectOf(jwt.claims.sub)?.trustDomain;
}

/**
 * Verifies a WIT-SVID (draft-ietf-wimse-workload-creds §3.1, WIT-SVID §4) with the bundle of the trust domain that its subject
 * is of, and with no other.
 *
 * @returns what is wrong with it, as a text.
 */
export function verifyWitSvid(wit: string, bundles: TrustBundles, nowSeconds: number): VerifiedWit | string {
  const jwt = parseCompactJwt(wit, WIT_TYPE, MAX_WIT_CHARACTERS);
  if (typeof jwt === 'string') return jwt;
  const { header, claims } = jwt;
  const id = subjectOf(claims.sub);
  if (id === undefined) return 'sub is no SPIFFE ID of a workload';
  const bundle: TrustBundle | undefined = bundles.get(id.trustDomain);
  if (bundle === undefined) return 'no trust bundle of its trust domain is known';
  const signer = typeof header.kid === 'string' ? bundle.witKeys.get(header.kid) : undefined;
  if (signer === undefined) return 'kid names no key of its trust domain';
  if (!isSignedBy(jwt, signer)) return 'its signature is not by its trust domain';
  const late = findTimeProblem(claims, nowSeconds);
  if (late !== undefined) return late;
  const { cnf } = claims;
  if (!isJsonObject(cnf) || Object.keys(cnf).length !== 1 || !isJsonObject(cnf.jwk))
    return 'cnf is no jwk alone';
  if (cnf.jwk.alg !== ES256) return 'cnf.jwk.alg is not ES256';
  const key = parseEs256Jwk(cnf.jwk);
  if (typeof key === 'string') return `cnf: ${key}`;
  return { id: id.uri, expSeconds: Number(claims.exp), key };
}

function subjectOf(sub: unknown): SpiffeId | undefined {
  return typeof sub === 'string' ? parseWorkloadId(sub) : undefined;
}
