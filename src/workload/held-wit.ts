import { createPublicKey, type KeyObject } from 'node:crypto';
import { isJsonObject } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import { parseCompactJwt } from './compact-jwt.ts';
import { parseEs256Jwk } from './es256-key.ts';
import { parseWorkloadId } from './spiffe-id.ts';
import { MAX_WIT_CHARACTERS, WIT_TYPE } from './wit-svid.ts';
import { createWorkloadProof, DEFAULT_PROOF_SECONDS } from './workload-proof.ts';

/** A WIT-SVID as its workload holds it: with the private key that it confirms. */
export interface HeldWit {
  readonly id: string;
  readonly wit: string;
  readonly privateKey: KeyObject;
  readonly expSeconds: number;
}

/** The call that a workload shows itself for. */
export interface WorkloadCall {
  /** The enforcement point, as the proof of possession names it. */
  readonly audience: string;
  /** The compact proof of possession. */
  readonly pop: string;
  readonly nowSeconds: number;
}

/** The identity of the workload that this process is. */
export interface WorkloadSource {
  /** Token and fresh proof for one call; `identity.mismatch` where there is no identity to show now. */
  prove(call: WorkloadCall): { readonly wit: string; readonly wpt: string } | Denial;
  /** Why there is nothing new, or nothing at all, as far as is known. */
  readonly problem: string | undefined;
  close(): void;
}

/**
 * Takes a token and a key for a pair. Who signed the token, and whether that counts, is for those it is shown to.
 *
 * @returns what is wrong with it, as a text that repeats nothing of it.
 */
export function holdWit(wit: string, privateKey: KeyObject): HeldWit | string {
  const jwt = parseCompactJwt(wit, WIT_TYPE, MAX_WIT_CHARACTERS);
  if (typeof jwt === 'string') return jwt;
  const { sub, exp, cnf } = jwt.claims;
  const id = typeof sub === 'string' ? parseWorkloadId(sub) : undefined;
  if (id === undefined) return 'sub is no SPIFFE ID of a workload';
  if (typeof exp !== 'number') return 'exp is not a NumericDate';
  const confirmed = isJsonObject(cnf) ? parseEs256Jwk(cnf.jwk) : 'cnf is no jwk';
  if (typeof confirmed === 'string') return confirmed;
  if (privateKey.type !== 'private' || !createPublicKey(privateKey).equals(confirmed)) {
    return 'the key is not the one that the token confirms';
  }
  return { id: id.uri, wit, privateKey, expSeconds: exp };
}

/** A held token with a proof for one call, which ends no later than the token. */
export function proveHeldWit(
  { wit, privateKey, expSeconds }: HeldWit,
  call: WorkloadCall,
): { readonly wit: string; readonly wpt: string } | Denial {
  const left = expSeconds - call.nowSeconds;
  if (!(left > 0)) return deny('identity.mismatch', 'the WIT-SVID that is held has expired');
  const lifetimeSeconds = Math.max(1, Math.min(DEFAULT_PROOF_SECONDS, Math.floor(left)));
  return { wit, wpt: createWorkloadProof({ ...call, wit, privateKey, lifetimeSeconds }) };
}
