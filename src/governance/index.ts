export type { ApiToken } from './callers.ts';
export {
  type AgentEnrolled,
  type AgentRetired,
  type AnchorAdded,
  type AnchorRetired,
  type ArtifactIssued,
  type CallerAdmitted,
  type CallerDismissed,
  type DomainCreated,
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
export {
  type KeySubjects,
  type RevocableChain,
  type Revocation,
  type RevocationHandles,
  revocationHandlesOf,
} from './revocation.ts';
export { handlesOfIssued, handlesOfReceipt } from './revocation-reach.ts';
export { type ActivePolicy, type Agent, type EnrolledLog, GovernanceState } from './state.ts';
