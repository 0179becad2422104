export type {
  ApprovalFact,
  ApprovalFindings,
  ApprovalRequirement,
  ApprovalsOfAction,
} from './approval.ts';
export { approvalsOfOthers, canonicalAction, checkApprovals, missingApprovals } from './approval.ts';
export { type Decision, decide, type Findings } from './decide.ts';
export { Permit } from './permit.ts';
export { type ProvenWorkload, workloadCredentialOf } from './proven-workload.ts';
export { checkAuthority, checkPolicy, type Ground, groundOf, redecide } from './redecide.ts';
export type { Action, Request } from './request.ts';
export type { Snapshot } from './snapshot.ts';
export { vouchedFor } from './vouched.ts';
