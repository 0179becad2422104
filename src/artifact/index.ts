export { checkAudience } from './audience.ts';
export { type ChainContext, verifyChain } from './chain.ts';
export { ChainCache } from './chain-cache.ts';
export type { TokenClaims } from './claims.ts';
export {
  CORE_CONSTRAINT_TYPES,
  type Constraint,
  type ConstraintEntry,
  type ConstraintLimits,
  type ConstraintMap,
  type ConstraintType,
  checkConstraint,
  DEFAULT_MAX_CONSTRAINT_DEPTH,
  EXTENSION_CONSTRAINT_TYPES,
  findArgumentViolation,
  findMapAmplification,
  parseConstraint,
  parseConstraintMap,
  subsumes,
} from './constraints/index.ts';
export { type Counter, requiredCounters } from './counters.ts';
export { createProof, type Invocation } from './create-proof.ts';
export { type ArtifactLimits, DEFAULT_LIMITS } from './limits.ts';
export { type DerivedGrant, deriveToken, mintRoot, type RootGrant } from './mint.ts';
export { type NamedWorkload, workloadNamedBy } from './named-workload.ts';
export { type Presentation, parsePresentation, parseWorkloadMembers } from './presentation.ts';
export { createPresenter, grantedTools, type Presenter, type PresenterOptions } from './presenter.ts';
export { type ProofContext, type VerifiedProof, verifyProof } from './proof.ts';
export { readToken, type UnverifiedToken } from './read-token.ts';
export { recheckChain } from './recheck-chain.ts';
export { checkScope, checkWindows } from './scope.ts';
export { parseTrustAnchors, type TrustAnchor } from './trust-anchor.ts';
export { isUri } from './uri.ts';
export { newUuidV7 } from './uuid.ts';
export type { VerifiedChain, VerifiedToken } from './verified-chain.ts';
export { type PresentationContext, verifyPresentation } from './verify-presentation.ts';
export { type Day, isInsideWindow, type UseWindow } from './window.ts';
export {
  type Attribution,
  type EnvironmentClaim,
  type GovernanceClaim,
  type Initiator,
  parseWritClaim,
  type UseClaim,
  type WritClaim,
} from './writ-claim.ts';
