export { attestExecution, type ExecutionAttestation } from './attest-execution.ts';
export { type Clock, systemClock } from './clock.ts';
export { createDomain, enrollAgent, publishPolicy } from './domain.ts';
export { bundleExecution, bundleLineage } from './evidence/bundle-execution.ts';
export type { BundleOptions } from './evidence/pack-bundle.ts';
export {
  type EvidenceReport,
  EvidenceVerifier,
  type Rederived,
  verifyEvidence,
} from './evidence/verify-evidence.ts';
export { readEvidenceKey } from './evidence-key.ts';
export {
  type ExecutionRecord,
  findExecution,
  listExecutionLogs,
  readExecution,
} from './execution-record.ts';
export {
  type GovernanceFollower,
  type GovernanceView,
  loadPolicy,
  openGovernanceFollower,
} from './governance-follower.ts';
export { appendGovernance } from './governance-writer.ts';
export {
  type Effect,
  type EffectResult,
  type Execution,
  Governor,
  type GovernorPorts,
  type Outcome,
} from './governor.ts';
export { findHomeFolder, Home, isDomainName, isLocalName, openHome, writeFileDurably } from './home.ts';
export { issueArtifact } from './issue.ts';
export { type LineageAround, LineageReader, type LoggedDecision } from './lineage-reader.ts';
export { type GovernorOptions, type OpenedGovernor, openGovernor } from './open.ts';
export { parentFactOf } from './parent-fact.ts';
export { type LogPublication, publishLogs } from './publish-logs.ts';
export { type ReplayReport, type ReplaySources, replayLog } from './replay/replay-log.ts';
export {
  type ExecutionAtStake,
  effectOfRevocation,
  type RevocationEffect,
  relevantTexts,
  type TokenAtStake,
} from './revocation-effect.ts';
export { revoke } from './revoke.ts';
export { cosignerFor, readWitnessPolicy } from './witness-policy-file.ts';
