import { type Digest, digestOf } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import type { TrustBundle, TrustBundles } from './trust-bundle.ts';
import { claimedTrustDomainOfWit, verifyWitSvid } from './wit-svid.ts';
import { findWorkloadProofProblem } from './workload-proof.ts';
import { claimedTrustDomain, verifyX509Svid } from './x509-svid.ts';

/**
 * What a caller shows of the workload that it is. `x509-svid`: the certificates (DER in base64, leaf first) whose key its
 * connection proved to hold; `wit-svid`: a token, and a proof for this call.
 */
export type WorkloadCredential =
  | { readonly kind: 'x509-svid'; readonly certificates: readonly string[] }
  | { readonly kind: 'wit-svid'; readonly wit: string; readonly wpt: string };

/** A workload that a caller proved to be. */
export interface VerifiedWorkload {
  /** Its SPIFFE ID. */
  readonly id: string;
  readonly kind: WorkloadCredential['kind'];
  readonly expSeconds: number;
  /** Of the certificate, or of the token. */
  readonly credential: Digest;
  readonly bundle: TrustBundle;
}

export interface WorkloadContext {
  readonly bundles: TrustBundles;
  readonly audience: string;
  readonly pop: string;
  readonly nowSeconds: number;
}

/** The one bundle that a credential can be verified with: that of the trust domain it claims to be of. */
export function bundleOf(credential: WorkloadCredential, bundles: TrustBundles): TrustBundle | undefined {
  const trustDomain =
    credential.kind === 'wit-svid'
      ? claimedTrustDomainOfWit(credential.wit)
      : claimedTrustDomain(credential.certificates);
  return trustDomain === undefined ? undefined : bundles.get(trustDomain);
}

/** Which workload a credential proves its caller to be; `identity.mismatch` where it proves none. Pure, never throws. */
export function verifyWorkload(
  credential: WorkloadCredential,
  { bundles, audience, pop, nowSeconds }: WorkloadContext,
): VerifiedWorkload | Denial {
  const { kind } = credential;
  const bundle = bundleOf(credential, bundles);
  if (bundle === undefined) return refuse(kind, 'it is of no trust domain whose bundle is known');
  if (credential.kind === 'x509-svid') {
    const svid = verifyX509Svid(credential.certificates, bundle, nowSeconds);
    return typeof svid === 'string'
      ? refuse(kind, svid)
      : { ...svid, kind, bundle, credential: digestOfLeaf(credential.certificates) };
  }
  const { wit, wpt } = credential;
  const verified = verifyWitSvid(wit, bundles, nowSeconds);
  if (typeof verified === 'string') return refuse(kind, verified);
  const { id, expSeconds, key } = verified;
  const problem = findWorkloadProofProblem(wpt, { wit, key, audience, pop, nowSeconds });
  return problem === undefined
    ? { id, kind, expSeconds, bundle, credential: digestOf(wit) }
    : refuse(kind, `proof: ${problem}`);
}

function digestOfLeaf([leaf = '']: readonly string[]): Digest {
  return digestOf(Buffer.from(leaf, 'base64'));
}

function refuse(kind: string, problem: string): Denial {
  return deny('identity.mismatch', `${kind}: ${problem}`);
}
