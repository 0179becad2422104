import type { ArtifactLimits, ChainCache } from '../artifact/index.ts';
import type { Measurement } from '../environment/index.ts';
import type { GovernanceState } from '../governance/index.ts';
import type { ParentFact } from '../lineage/index.ts';
import type { PreparedPolicy } from '../policy/index.ts';
import type { TrustBundles } from '../workload/index.ts';
import type { ApprovalsOfAction } from './approval.ts';

/** Everything a decision reads. `decide` is a function of the request and of this alone. */
export interface Snapshot {
  /** Wall time of the decision, seconds since the epoch (fractions allowed). */
  readonly nowSeconds: number;
  /** Who the enforcement point is: any of these in a token's `aud` means it. The last one is its own instance. */
  readonly audiences: readonly string[];
  /**
   * Whether this instance keeps the counters of its audience. Where another one does, artifacts that count their uses
   * are denied here: two instances would count apart.
   */
  readonly keepsCounters: boolean;
  readonly governance: GovernanceState;
  /** When the governance log was last seen and verified. */
  readonly governanceCheckedAtSeconds: number;
  readonly maxStalenessSeconds: number;
  /** The bundle that the governance state names, where its bytes are at hand. */
  readonly policy: PreparedPolicy | undefined;
  readonly measurement: Measurement | undefined;
  /** The execution with this id in a log that can be checked. Must answer alike for one snapshot. */
  readonly findParent: (executionId: string) => ParentFact | undefined;
  readonly maxLineageDepth: number;
  /** What workloads may prove their identity with; absent: no trust domain is known, and none proves any. */
  readonly trustBundles?: TrustBundles;
  /**
   * What approvers said about an action, given in canonical form: what stands in the governance state, and is not spent.
   * Must answer alike for one snapshot.
   */
  readonly findApprovals: (canonicalAction: string) => ApprovalsOfAction;
  /**
   * Who is one person: `same-name` (default) as `bySameName` has it, and who had an artifact issued asks. `by-subject`: each name by itself,
   * and the issuance does not count; so decisions went whose receipts do not say `people`, and so they are derived again.
   */
  readonly people?: 'same-name' | 'by-subject';
  /** Whether this proof is new and the counters are in range; settled by the log's transaction. */
  readonly replay: 'fresh' | 'used' | 'exhausted' | 'unavailable';
  /** Whether the decision can be made durable. */
  readonly record: 'available' | 'unavailable';
  readonly limits?: Partial<ArtifactLimits>;
  /** Remembers verified chains; it changes how fast an answer comes, never which. */
  readonly cache?: ChainCache;
}
