export {
  type ApproverKey,
  type CredentialJwk,
  isReasonText,
  isRole,
  parseApprovalStatement,
} from './approval-event.ts';
export {
  APPROVAL,
  APPROVAL_NAMESPACE,
  APPROVAL_REVIEW,
  type ApprovalStatement,
  BREAK_GLASS,
  MAX_APPROVAL_SECONDS,
  MAX_BREAK_GLASS_SECONDS,
  REQUEST_SECONDS,
  type ReviewStatement,
  type StatementSignature,
  secondsOfUuidV7,
  statementBytes,
} from './approval-statement.ts';
export type { ApprovalReview, Approvals, Approver, EnrolledApproverKey, GivenApproval } from './approvals.ts';
export type { ApiToken } from './callers.ts';
export { MAX_ENROLLED_COMPONENTS } from './environment-event.ts';
export { type EnrolledEnvironment, isTestDomain } from './environments.ts';
export {
  type AgentEnrolled,
  type AgentRetired,
  type AnchorAdded,
  type AnchorRetired,
  type ApprovalGiven,
  type ApprovalReviewed,
  type ApproverEnrolled,
  type ApproverRetired,
  type ArtifactIssued,
  type CallerAdmitted,
  type CallerDismissed,
  type DomainCreated,
  type EnvironmentEnrolled,
  type EnvironmentRetired,
  type EvidenceErased,
  GOVERNANCE_EVENT,
  type GovernanceEvent,
  type LogEnrolled,
  MAX_ERASED_EXECUTIONS,
  type PolicyPublished,
  parseGovernanceEvent,
  type RevocationHandle,
  type Revoked,
  ROLES,
  type Role,
  serializeGovernanceEvent,
} from './event.ts';
export { foldGovernance } from './fold.ts';
export { bySameName, bySubject, type PersonOf } from './person.ts';
export {
  type KeySubjects,
  type RevocableChain,
  type Revocation,
  type RevocationHandles,
  revocationHandlesOf,
} from './revocation.ts';
export { handlesOfIssued, handlesOfReceipt } from './revocation-reach.ts';
export { type ActivePolicy, type Agent, type EnrolledLog, GovernanceState } from './state.ts';
export { findSignatureProblem, type ParsedApproverKey, parseApproverKey } from './statement-signature.ts';
