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
export { argumentsOfProof, type BundleReport, verifyBundle } from './verify-bundle.ts';
