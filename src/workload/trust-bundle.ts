import type { KeyObject } from 'node:crypto';
import {
  canonicalize,
  type Digest,
  digestOf,
  isJsonObject,
  type JsonObject,
  parseJsonObject,
} from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { parseEs256Jwk } from './es256-key.ts';
import { isTrustDomain } from './spiffe-id.ts';

/** The keys that a SPIFFE trust domain signs identities with (SPIFFE Trust Domain and Bundle §4). */
export interface TrustBundle {
  readonly trustDomain: string;
  /** Certificates of authorities that sign X.509-SVIDs. */
  readonly authorities: readonly Certificate[];
  /** Keys that sign WIT-SVIDs, by `kid`. */
  readonly witKeys: ReadonlyMap<string, KeyObject>;
  /** `spiffe_sequence`: grows with every change. */
  readonly sequence: number | undefined;
  /** `spiffe_refresh_hint`: how often to look for a new one. */
  readonly refreshHintSeconds: number | undefined;
  /** The document. */
  readonly json: JsonObject;
  /** Over its JCS. */
  readonly digest: Digest;
}

/** By trust domain. Bundles are never merged: each speaks for its own trust domain alone (SPIFFE Federation §5). */
export type TrustBundles = ReadonlyMap<string, TrustBundle>;

export const MAX_BUNDLE_BYTES = 1024 * 1024;
const MAX_KEYS = 128;
const MAX_KID_CHARACTERS = 256;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Parses a trust bundle, a JWK Set. Which trust domain it is of is the word of whoever hands it over: the document does not
 * say. Keys of other uses are passed over; one of a use that counts and that cannot be read refuses the whole bundle.
 */
export function parseTrustBundle(trustDomain: string, bytes: string | Uint8Array): TrustBundle | Denial {
  const json = parseJsonObject(bytes, 'request.malformed', { maxBytes: MAX_BUNDLE_BYTES, maxDepth: 8 });
  if (isDenial(json)) return refuse(json.detail);
  return trustBundleOf(trustDomain, json);
}

/** The same of a document that was parsed strictly already. */
export function trustBundleOf(trustDomain: string, json: JsonObject): TrustBundle | Denial {
  if (!isTrustDomain(trustDomain)) return refuse('its trust domain is no name of one');
  const { keys, spiffe_sequence: sequence, spiffe_refresh_hint: hint } = json;
  if (!Array.isArray(keys) || keys.length > MAX_KEYS)
    return refuse(`keys are no list of at most ${MAX_KEYS}`);
  if (sequence !== undefined && !isCount(sequence)) return refuse('spiffe_sequence is not a whole number');
  if (hint !== undefined && !isCount(hint)) return refuse('spiffe_refresh_hint is not a whole number');
  const authorities: Certificate[] = [];
  const witKeys = new Map<string, KeyObject>();
  for (const jwk of keys) {
    if (!isJsonObject(jwk)) return refuse('a key is not an object');
    const problem =
      jwk.use === 'x509-svid'
        ? addAuthority(authorities, jwk)
        : jwk.use === 'wit-svid'
          ? addWitKey(witKeys, jwk)
          : undefined;
    if (problem !== undefined) return refuse(problem);
  }
  return Object.freeze({
    trustDomain,
    authorities,
    witKeys,
    sequence,
    refreshHintSeconds: hint,
    json,
    digest: digestOf(canonicalize(json)),
  });
}

/** X509-SVID §6.2: the first certificate counts, and an entry without one does not. */
function addAuthority(authorities: Certificate[], { x5c }: JsonObject): string | undefined {
  const first = Array.isArray(x5c) ? x5c[0] : undefined;
  if (first === undefined) return undefined;
  if (typeof first !== 'string' || !BASE64.test(first)) return 'an x5c is not base64';
  const certificate = parseCertificate(Buffer.from(first, 'base64'));
  if (typeof certificate === 'string') return `an authority’s certificate: ${certificate}`;
  if (!certificate.isAuthority) return 'an authority’s certificate is none of an authority';
  authorities.push(certificate);
  return undefined;
}

/** WIT-SVID §6.1: `kid` is there, and is unique. */
function addWitKey(keys: Map<string, KeyObject>, jwk: JsonObject): string | undefined {
  const { kid } = jwk;
  if (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_CHARACTERS)
    return 'a wit-svid key has no kid';
  if (keys.has(kid)) return 'two keys have one kid';
  // Another algorithm than ours is no fault of the bundle; a token that names this kid finds no key.
  if (jwk.kty !== 'EC' || jwk.crv !== 'P-256') return undefined;
  const key = parseEs256Jwk(jwk);
  if (typeof key === 'string') return `a wit-svid key: ${key}`;
  keys.set(kid, key);
  return undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function refuse(problem: string): Denial {
  return deny('identity.mismatch', `trust bundle: ${problem}`);
}
