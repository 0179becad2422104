export { type BundleOptions, bundleExecution } from './bundle-execution.ts';
export { type Clock, systemClock } from './clock.ts';
export { createDomain, enrollAgent, publishPolicy } from './domain.ts';
export { type Erasure, type ErasureOptions, eraseEvidence } from './evidence/erase-evidence.ts';
export { Erasures } from './evidence/erasures.ts';
export { type ErasurePlan, type ErasureSelection, planErasure } from './evidence/plan-erasure.ts';
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
export { type GovernorOptions, type OpenedGovernor, openGovernor } from './open.ts';
export { parentFactOf } from './parent-fact.ts';
export { findInOtherLogs } from './replay/find-in-other-logs.ts';
export type { Missing } from './replay/inputs-of-receipt.ts';
export type { OnProgress } from './replay/recorded-decisions.ts';
export type { DecisionSources } from './replay/recorded-inputs.ts';
export { type ReplaySources, replayLog } from './replay/replay-log.ts';
export type { Difference, ReplayReport } from './replay/replay-report.ts';
export { revoke } from './revoke.ts';
export { type SimulationOptions, simulatePolicy } from './simulation/simulate-policy.ts';
export type { Change, ChangeGroup, NewVerdict, SimulationReport } from './simulation/simulation-report.ts';
