export { artifactFactsOf } from './artifact-facts.ts';
export { BUNDLE, type BundledEntry, type EvidenceBundle, parseBundle } from './bundle.ts';
export {
  type ArtifactFacts,
  DECISION_RECEIPT,
  type DecisionReceipt,
  type EvidenceKind,
  isRecordOf,
  parseDecisionReceipt,
  type SaltedDigest,
  type StageVerdict,
  serializeReceipt,
} from './decision-receipt.ts';
export { type EvidenceKey, evidenceAddress, executionSalt, saltedDigest } from './evidence-address.ts';
export {
  OUTCOME_RECEIPT,
  type OutcomeReceipt,
  type OutcomeStatus,
  parseOutcomeReceipt,
} from './outcome-receipt.ts';
export type { Preview } from './preview.ts';
export { argumentsOfProof, type BundleReport, verifyBundle } from './verify-bundle.ts';
