export { findHolderKey, localAgents } from './agent-keys.ts';
export { admitCaller, dismissCaller } from './api-callers.ts';
export type { ApprovalRequest, RequestStatus } from './approvals/approval-request.ts';
export { ApprovalRequests } from './approvals/approval-requests.ts';
export { approvalUrl } from './approvals/approval-url.ts';
export { type ApprovalChange, ApprovalWatch } from './approvals/approval-watch.ts';
export { findSignOffProblem } from './approvals/check-sign-off.ts';
export type { ShownAction } from './approvals/shown-action.ts';
export {
  enrollApprover,
  recordApproval,
  recordReview,
  retireApprover,
  reviewStatementFor,
  rolesFor,
  statementFor,
  type Verdict,
} from './approvals/sign-off.ts';
export { artifactPath, readArtifactFile } from './artifact-file.ts';
export { attestExecution, type ExecutionAttestation } from './attest-execution.ts';
export {
  type AttesterFile,
  attesterFileText,
  isPersistentHandle,
  readAttesterFile,
} from './attestation/attester-file.ts';
export { DEFAULT_PCRS, enrollTpm, type TpmEnrollment } from './attestation/enroll-tpm.ts';
export {
  type EnvironmentProfile,
  environmentFileText,
  IMAGE_VARIABLE,
  readEnvironmentFile,
} from './attestation/environment-file.ts';
export { type MeasuredEnvironment, measureEnvironment } from './attestation/measured-environment.ts';
export type { QuoteSource } from './attestation/session-quotes.ts';
export { findTpmDrift } from './attestation/tpm-drift.ts';
export { chooseGovernor, type DaemonUse } from './choose-governor.ts';
export { type Clock, systemClock } from './clock.ts';
export {
  type ConnectedGovernor,
  type ConnectOptions,
  connectGovernor,
} from './daemon/connect-governor.ts';
export { type DaemonAnswer, denialOf } from './daemon/daemon-answer.ts';
export { DaemonAbsent, DaemonFailed } from './daemon/daemon-error.ts';
export { DAEMON, type DaemonAddress, readDaemonFile } from './daemon/daemon-file.ts';
export { DaemonLink, linkToDaemon } from './daemon/daemon-link.ts';
export { type AnsweringDaemon, reachDaemon } from './daemon/reach-daemon.ts';
export { RemoteGovernor, type RemoteGovernorOptions } from './daemon/remote-governor.ts';
export { MAX_FRAME_REQUESTS, MAX_SESSION_FRAME_BYTES, SESSION_PROTOCOL } from './daemon/session-protocol.ts';
export { daemonLogFile, type StartOptions, startDaemon } from './daemon/start-daemon.ts';
export {
  type DecisionPage,
  type DecisionWithOutcome,
  listDecisions,
  withOutcome,
} from './decision-listing.ts';
export { createDomain, enrollAgent, publishPolicy } from './domain.ts';
export { EnforcementPoint, type MeasuredTool, type PointSession } from './enforcement-point.ts';
export { bundleExecution, bundleLineage } from './evidence/bundle-execution.ts';
export { type Erasure, type ErasureOptions, eraseEvidence } from './evidence/erase-evidence.ts';
export { Erasures } from './evidence/erasures.ts';
export type { BundleOptions } from './evidence/pack-bundle.ts';
export { type ErasurePlan, type ErasureSelection, planErasure } from './evidence/plan-erasure.ts';
export {
  type EvidenceReport,
  EvidenceVerifier,
  type Rederived,
  verifyEvidence,
} from './evidence/verify-evidence.ts';
export { readEvidenceKey } from './evidence-key.ts';
export type {
  DeniedOutcome,
  Effect,
  EffectResult,
  Execution,
  ExecutionEnd,
  OpenExecution,
  Outcome,
} from './execution.ts';
export {
  type ExecutionRecord,
  findExecution,
  listExecutionLogs,
  readExecution,
} from './execution-record.ts';
export { GovernanceAuthority } from './governance-authority.ts';
export type { GovernanceWriter, NewGovernanceEvent } from './governance-event.ts';
export {
  type GovernanceFollower,
  type GovernanceView,
  loadPolicy,
  openGovernanceFollower,
} from './governance-follower.ts';
export { appendGovernance } from './governance-writer.ts';
export { Governor } from './governor.ts';
export { findHomeFolder, Home, isDomainName, isLocalName, openHome, writeFileDurably } from './home.ts';
export { readInputFile, readJsonFile } from './input-file.ts';
export { issueArtifact } from './issue.ts';
export { type LineageAround, LineageReader, type LoggedDecision } from './lineage-reader.ts';
export { type GovernorOptions, type OpenedGovernor, openGovernor } from './open.ts';
export { parentFactOf } from './parent-fact.ts';
export type { GovernorPorts } from './ports.ts';
export { programFile, programVersion } from './program.ts';
export { currentInputs } from './proposal/current-snapshot.ts';
export { type Proposal, proposeChange } from './proposal/propose-change.ts';
export { type NarrowProposal, proposeNarrow } from './proposal/propose-narrow.ts';
export { type LogPublication, publishLogs } from './publish-logs.ts';
export { readInThread } from './reading/read-in-thread.ts';
export { findInOtherLogs } from './replay/find-in-other-logs.ts';
export type { Missing } from './replay/inputs-of-receipt.ts';
export { type OpenedReplaySources, openReplaySources } from './replay/open-replay-sources.ts';
export type { OnProgress } from './replay/recorded-decisions.ts';
export type { DecisionSources } from './replay/recorded-inputs.ts';
export { type ReplaySources, replayLog } from './replay/replay-log.ts';
export type { Difference, ReplayReport } from './replay/replay-report.ts';
export {
  type ExecutionAtStake,
  effectOfRevocation,
  type RevocationEffect,
  relevantTexts,
  type TokenAtStake,
} from './revocation-effect.ts';
export { revoke } from './revoke.ts';
export { type SimulationOptions, simulatePolicy } from './simulation/simulate-policy.ts';
export type { Change, ChangeGroup, NewVerdict, SimulationReport } from './simulation/simulation-report.ts';
export { STREAMS, SUPERVISE_PROTOCOL } from './supervision/supervise-protocol.ts';
export { SupervisedProcess } from './supervision/supervised-process.ts';
export { runSupervised, type SupervisedEnd } from './supervision/supervised-streams.ts';
export { type CallerTrace, parseCallerTrace } from './tracing/caller-trace.ts';
export { DecisionTracer } from './tracing/decision-tracer.ts';
export { cosignerFor, readWitnessPolicy } from './witness-policy-file.ts';
export {
  chooseWorkload,
  ENDPOINT_VARIABLE,
  type ShownWorkload,
  type WorkloadChoice,
  type WorkloadFrom,
} from './workload-source/choose-workload.ts';
