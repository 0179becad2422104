import type { VerifiedChain } from '../artifact/index.ts';
import type { Snapshot } from '../decision/index.ts';
import type { Denial } from '../denial/index.ts';
import type { EvidenceKey } from '../receipt/index.ts';
import type { Log } from '../tlog/index.ts';
import { approvalFinder } from './approvals/find-approvals.ts';
import type { Clock } from './clock.ts';
import type { GovernanceView } from './governance-follower.ts';
import type { DecisionTracer } from './tracing/decision-tracer.ts';

/** What a governor stands on; `openGovernor` composes it from a trust domain on disk. */
export interface GovernorPorts {
  readonly log: Log;
  /** Origin of that log. */
  readonly origin: string;
  readonly evidenceKey: EvidenceKey;
  readonly clock: Clock;
  /** Without one nothing is traced, and nothing done for it. */
  readonly tracer?: DecisionTracer;
  /** Brings governance knowledge up to date. */
  readonly governance: { refresh(): GovernanceView };
  /**
   * Waits a moment for an execution that a log beside this one has but no checkpoint covers yet. True where it is worth
   * asking for it again.
   */
  readonly awaitParent?: (executionId: string) => Promise<boolean>;
  /**
   * Waits a moment for a TPM's word on the environment that may turn a denial; where one comes, the measurement is another.
   *
   * @param chain the artifact, whose holder has proved to be that.
   */
  readonly awaitQuote?: (chain: VerifiedChain, denial: Denial) => Promise<void>;
  /** Told of every execution that begins, by the artifact that permitted it. Does not throw. */
  readonly onBegun?: (chain: VerifiedChain) => void;
  /** All of a snapshot but what governance, time and the log contribute. */
  readonly surroundings: () => Omit<
    Snapshot,
    | 'nowSeconds'
    | 'governance'
    | 'governanceCheckedAtSeconds'
    | 'policy'
    | 'findApprovals'
    | 'replay'
    | 'record'
  >;
}

/**
 * The snapshot of this moment. What only the log's transaction settles is taken to be in order.
 *
 * @param own index of the permit that is decided once more: the approvals it spent still count for it.
 */
export function snapshotOf(
  ports: GovernorPorts,
  view: GovernanceView,
  nowMs: number,
  own?: number,
): Snapshot {
  return {
    ...ports.surroundings(),
    findApprovals: approvalFinder(ports, view.state, own),
    nowSeconds: nowMs / 1000,
    governance: view.state,
    governanceCheckedAtSeconds: view.checkedAtMs / 1000,
    policy: view.policy,
    replay: 'fresh',
    record: 'available',
  };
}
