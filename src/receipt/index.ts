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
export { type Envelope, openEnvelope, signEnvelope } from './dsse.ts';
export { type EvidenceKey, evidenceAddress, executionSalt, saltedDigest } from './evidence-address.ts';
export {
  OUTCOME_RECEIPT,
  type OutcomeReceipt,
  type OutcomeStatus,
  parseOutcomeReceipt,
} from './outcome-receipt.ts';
export {
  formatEnvelopeEntry,
  formatSigstoreBundle,
  formatTrustedRoot,
  keyHintOf,
  type NamedKey,
  type ProvenEntry,
  SIGSTORE_BUNDLE,
} from './sigstore.ts';
export {
  EXECUTION_PREDICATE,
  formatStatement,
  type ProvenReceipts,
  parseStatement,
  STATEMENT,
} from './statement.ts';
export { isSigstoreBundle, verifyAttestation } from './verify-attestation.ts';
export { argumentsOfProof, type BundleReport, verifyBundle } from './verify-bundle.ts';
