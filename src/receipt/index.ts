export { artifactFactsOf } from './artifact-facts.ts';
export {
  BUNDLE,
  type BundledEntry,
  type BundledExecution,
  type BundledGovernance,
  type EvidenceBundle,
  MAX_BUNDLE_BYTES,
  MAX_BUNDLED_EVENTS,
  MAX_BUNDLED_EXECUTIONS,
  parseBundle,
} from './bundle.ts';
export {
  type ApprovalsSeen,
  type ArtifactFacts,
  DECISION_RECEIPT,
  type DecisionReceipt,
  EVIDENCE_KINDS,
  type EvidenceKind,
  isRecordOf,
  parseDecisionReceipt,
  type SaltedDigest,
  type StageVerdict,
  serializeReceipt,
  type WorkloadFacts,
} from './decision-receipt.ts';
export { type Envelope, openEnvelope, signEnvelope } from './dsse.ts';
export {
  actionSalt,
  type EvidenceKey,
  evidenceAddress,
  executionSalt,
  saltedDigest,
} from './evidence-address.ts';
export type { BundlePart, Findings } from './findings.ts';
export { KnownLogs } from './known-logs.ts';
export {
  OUTCOME_RECEIPT,
  type OutcomeReceipt,
  type OutcomeStatus,
  parseOutcomeReceipt,
} from './outcome-receipt.ts';
export type { Preview } from './preview.ts';
export {
  MAX_WRITTEN_FILES,
  type NetworkFacts,
  type ProcessFacts,
  type ProcessReport,
  RECORDED_DESTINATION,
  type StreamFacts,
  saltProcess,
  type WrittenFacts,
  type WrittenFile,
} from './process-facts.ts';
export { formatReceiptCursor, parseReceiptCursor, type ReceiptCursor } from './receipt-cursor.ts';
export {
  type CountedFacet,
  type CountQuestion,
  IndexDamaged,
  type IndexProgress,
  type ReceiptCount,
  type ReceiptIndex,
  type ReceiptSearch,
} from './receipt-index.ts';
export {
  countReceipts,
  type FoundReceipt,
  MAX_PAGE_LIMIT,
  queryReceipts,
  type ReceiptPage,
  type ReceiptRequest,
} from './receipt-page.ts';
export {
  facetsOf,
  matchesFilters,
  parseReceiptFilters,
  type ReceiptFacets,
  type ReceiptFilters,
  type ReceiptOrder,
  type ReceiptPosition,
} from './receipt-query.ts';
export {
  formatEnvelopeEntry,
  formatSigstoreBundle,
  formatTrustedRoot,
  keyHintOf,
  type LoggedEntry,
  type NamedKey,
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
export {
  BundleExamination,
  type BundleKeys,
  type BundleReport,
  type ExaminedExecution,
  type ExecutionReport,
  examineBundle,
  verifyBundle,
} from './verify-bundle.ts';
export { argumentsOfProof, evidenceOf, parentOfProof } from './verify-evidence-parts.ts';
export type { CheckedGovernance } from './verify-governance-entries.ts';
export type { ProvenExecution } from './verify-receipts.ts';
