import { ChainCache } from '../../artifact/index.ts';
import type { Action, Snapshot } from '../../decision/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { GovernanceState } from '../../governance/index.ts';
import type { ParentFact } from '../../lineage/index.ts';
import type { PreparedPolicy } from '../../policy/index.ts';
import type { DecisionReceipt, EvidenceKind, SaltedDigest } from '../../receipt/index.ts';
import type { LogReader } from '../../tlog/index.ts';
import { parentFactOf } from '../parent-fact.ts';
import { GovernanceTimeline } from './governance-timeline.ts';
import {
  actionOfReceipt,
  isMissing,
  type Missing,
  measurementOfReceipt,
  policyOfReceipt,
  type ReceiptEvidence,
  recordedApprovals,
  snapshotOfReceipt,
  trustBundlesOfReceipt,
} from './inputs-of-receipt.ts';

/** What recorded decisions are read from. */
export interface DecisionSources {
  /** The execution log whose decisions are derived anew. */
  readonly log: LogReader;
  /** The governance log of its trust domain. */
  readonly governance: LogReader;
  /** The digest that approvals of an action name; undefined where the evidence key is not at hand. */
  readonly digestOfAction?: (canonicalAction: string) => SaltedDigest;
  /** Unseals evidence; undefined where it is not at hand. */
  readonly readEvidence: (address: string) => Uint8Array | undefined;
  /** Why evidence that a receipt names is not at hand; `withheld` where nothing is said. */
  readonly whyMissing?: (kind: EvidenceKind, index: number, receipt: DecisionReceipt) => Missing;
  /** Executions of the logs beside this one, as they stood at a time; those of this log are found in it. */
  readonly findElsewhere?: (
    executionId: string,
    atMs: number,
    governance: GovernanceState,
  ) => ParentFact | undefined;
}

export interface RecordedInputs {
  readonly action: Action;
  readonly snapshot: Snapshot;
  /** Whether deciding asked for a parent that another log holds. */
  readonly askedElsewhere: () => boolean;
}

const MAX_CACHED_CHAINS = 1024;
const MAX_PREPARED = 8;

/** Everything that recorded decisions were made on, rebuilt from their receipts and evidence. Bounded in memory. */
export class DecisionInputs {
  readonly #sources: DecisionSources;
  readonly #cache = new ChainCache(MAX_CACHED_CHAINS);
  readonly #governance: GovernanceTimeline;
  /** By digest, least recently used first. */
  readonly #policies = new Map<string, PreparedPolicy>();

  constructor(sources: DecisionSources) {
    this.#sources = sources;
    this.#governance = new GovernanceTimeline(sources.governance);
  }

  /** @returns a denial where the receipt cannot have been made on these logs. */
  of(receipt: DecisionReceipt, index: number): RecordedInputs | Denial | Missing {
    const governance = this.#governance.at(receipt.governance);
    if (isDenial(governance)) return governance;
    const { logSize = index } = receipt.bounds;
    if (!(logSize >= 0 && logSize <= index)) {
      return deny('log.unavailable', 'the receipt knows more of the log than was there');
    }
    const evidence = this.#evidenceOf(receipt, index);
    const action = actionOfReceipt(receipt, evidence);
    if (isMissing(action) || isDenial(action)) return action;
    const policy = this.#policyOf(receipt, evidence);
    if (isMissing(policy)) return policy;
    const measurement = measurementOfReceipt(receipt, evidence);
    if (isMissing(measurement)) return measurement;
    const trustBundles = trustBundlesOfReceipt(receipt, evidence);
    if (isMissing(trustBundles)) return trustBundles;
    let askedElsewhere = false;
    const findParent = (id: string): ParentFact | undefined => {
      const own = this.#findOwn(id, logSize, governance);
      if (own !== undefined) return own;
      const other = this.#sources.findElsewhere?.(id, receipt.atMs, governance);
      askedElsewhere ||= other !== undefined;
      return other;
    };
    const snapshot = snapshotOfReceipt(receipt, {
      ...{ governance, policy, measurement, findParent, cache: this.#cache },
      ...(trustBundles && { trustBundles }),
      findApprovals: recordedApprovals(receipt, governance, this.#sources.digestOfAction),
    });
    return { action, snapshot, askedElsewhere: () => askedElsewhere };
  }

  #evidenceOf(receipt: DecisionReceipt, index: number): ReceiptEvidence {
    const { readEvidence, whyMissing } = this.#sources;
    return (kind) => {
      const address = receipt.evidence[kind];
      if (address === undefined) return 'withheld';
      return readEvidence(address) ?? whyMissing?.(kind, index, receipt) ?? 'withheld';
    };
  }

  #policyOf(receipt: DecisionReceipt, evidence: ReceiptEvidence): PreparedPolicy | undefined | Missing {
    const digest = receipt.policy?.digest;
    if (digest === undefined) return undefined;
    const policy = this.#policies.get(digest) ?? policyOfReceipt(receipt, evidence);
    if (policy === undefined || isMissing(policy)) return policy;
    this.#policies.delete(digest);
    this.#policies.set(digest, policy);
    const [oldest] = this.#policies.keys();
    if (this.#policies.size > MAX_PREPARED && oldest !== undefined) this.#policies.delete(oldest);
    return policy;
  }

  /** An execution as the decision knew it: entries from `before` on count for nothing. */
  #findOwn(id: string, before: number, governance: GovernanceState): ParentFact | undefined {
    const { log } = this.#sources;
    const past: Pick<LogReader, 'lookup' | 'read'> = {
      lookup: (key) => log.lookup(key).filter((index) => index < before),
      read: (start, count) => log.read(start, count),
    };
    return parentFactOf(past, id, governance);
  }
}
