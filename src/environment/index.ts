export { ASSURANCES, type Assurance, isAssurance, meetsAssurance, type Vouched } from './assurance.ts';
export type { EnvironmentBinding } from './binding.ts';
export { checkEnvironment } from './check-environment.ts';
export { checkToolDefinition } from './check-tool-definition.ts';
export { readBootId } from './collectors/boot.ts';
export { isEnforcerKnown, measureEnforcer } from './collectors/enforcer.ts';
export { EnvironmentWatch, type EnvironmentWatchOptions } from './collectors/environment-watch.ts';
export { digestFile, fileIdentity } from './collectors/file-digest.ts';
export { keepDigests, recallDigests } from './collectors/kept-digests.ts';
export {
  type ProcessFacts,
  readProcessFacts,
} from './collectors/process-facts.ts';
export {
  COLLECTORS,
  type Collector,
  isCollector,
  measureSurroundings,
  type PolicyInForce,
  policyComponents,
  type Surroundings,
} from './collectors/profile.ts';
export { DEFAULT_TCTI, isTcti, Tpm2Tools, TpmFailure } from './collectors/tpm2-tools.ts';
export { digestTree } from './collectors/tree-digest.ts';
export { measureUpstream, type UpstreamCommand, type UpstreamMeasurement } from './collectors/upstream.ts';
export type { OnRead, WatchTarget } from './collectors/watch-target.ts';
export { type Drift, findDrift } from './compare-measurements.ts';
export {
  type Component,
  collectedBy,
  isComponent,
  isComponentKind,
  isComponentName,
  joinComponents,
  toolComponents,
} from './component.ts';
export {
  CONFINEMENT_LAYERS,
  type ConfinementLayer,
  checkConfinement,
  confinementComponent,
  confinementComponents,
  type LayerState,
  type LayerStates,
} from './confinement.ts';
export { measurableTools } from './measurable-tools.ts';
export {
  isBootId,
  MAX_MEASURED,
  MAX_TOOLS,
  type Measurement,
  measurementOf,
  parseMeasurement,
  serializeMeasurement,
  statementDigest,
  withQuotes,
  withSupervision,
} from './measurement.ts';
export { SUPERVISED_KIND, SUPERVISOR_COLLECTOR, type Supervision } from './supervision.ts';
export { parseAttestationKey } from './tpm/attestation-key.ts';
export {
  attesterOf,
  type EnrolledBoot,
  findPcrProblem,
  PCR_COUNT,
  type PcrValue,
  type TpmAttester,
  type TpmRecord,
} from './tpm/attester.ts';
export { type EndorsementVouch, verifyEndorsement } from './tpm/endorsement-certificate.ts';
export { parseEndorsementKey } from './tpm/endorsement-key.ts';
export { makeCredential } from './tpm/make-credential.ts';
export { qualifiedNameOf } from './tpm/public-area.ts';
export { parseQuoteAttestation } from './tpm/quote-attestation.ts';
export { findTpmQuoteProblem, MAX_QUOTES, type TpmQuote } from './tpm/tpm-quote.ts';
export { findQuoteProblem, QUOTE_PROBLEMS, type QuoteBytes, qualifyingData } from './tpm/verify-quote.ts';
export { vouchFor, wantsOwnQuote } from './vouch.ts';
