export { DevelopmentIssuer, type IssuerState, pemOfCertificates, publicJwk } from './development/issuer.ts';
export { parseIssuer, serializeIssuer } from './development/issuer-state.ts';
export { type HeldWit, holdWit, proveHeldWit, type WorkloadCall, type WorkloadSource } from './held-wit.ts';
export { isTrustDomain, parseSpiffeId, parseWorkloadId, type SpiffeId } from './spiffe-id.ts';
export { parseTrustBundle, type TrustBundle, type TrustBundles, trustBundleOf } from './trust-bundle.ts';
export { TrustBundleStore } from './trust-bundle-store.ts';
export {
  bundleOf,
  type VerifiedWorkload,
  verifyWorkload,
  type WorkloadContext,
  type WorkloadCredential,
} from './verify-workload.ts';
export { verifyWitSvid } from './wit-svid.ts';
export { createWorkloadProof } from './workload-proof.ts';
export { verifyX509Svid } from './x509-svid.ts';
