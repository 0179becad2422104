import { isDenial } from '../denial/index.ts';
import { GovernanceState } from '../governance/index.ts';
import type { ParentFact } from '../lineage/index.ts';
import { type DecisionReceipt, parseDecisionReceipt, parseOutcomeReceipt } from '../receipt/index.ts';
import type { LogReader } from '../tlog/index.ts';

/** What finding an execution needs of a log. */
export type Entries = Pick<LogReader, 'lookup' | 'read'>;

/** Where a log holds the decision of an execution. */
export interface FoundDecision {
  readonly index: number;
  readonly entry: Uint8Array;
  readonly receipt: DecisionReceipt;
}

/**
 * The decision of an execution as a log's index has it; undefined where it has none. Two decisions under one id would be
 * a forgery: then it counts as unknown, and so does one that names another log.
 */
export function findDecision(log: Entries, executionId: string, origin?: string): FoundDecision | undefined {
  const [index, ...others] = log.lookup(`execution:${executionId}`);
  if (index === undefined || others.length > 0) return undefined;
  const [entry] = log.read(index, 1);
  const receipt = entry === undefined ? undefined : parseDecisionReceipt(entry);
  if (entry === undefined || receipt === undefined || isDenial(receipt)) return undefined;
  if (receipt.id !== executionId || (origin !== undefined && receipt.log !== origin)) return undefined;
  return { index, entry, receipt };
}

/**
 * What an execution is to those that name it as their parent, as a log has it that was verified as a whole.
 *
 * @param governance tells whether what it ran under has been revoked since.
 */
export function parentFactOf(
  log: Entries,
  executionId: string,
  governance: GovernanceState = GovernanceState.empty,
): ParentFact | undefined {
  const found = findDecision(log, executionId);
  return found === undefined ? undefined : factOfDecision(log, found, governance);
}

export function factOfDecision(
  log: Entries,
  { receipt }: FoundDecision,
  governance: GovernanceState,
): ParentFact {
  const { id: executionId } = receipt;
  const tokenHashes = receipt.artifact?.tokenHashes ?? [];
  return {
    executionId,
    verdict: receipt.verdict,
    tokenHashes,
    leafTokenHash: tokenHashes.at(-1) ?? '',
    depth: receipt.lineage?.depth ?? 0,
    rootExecutionId: receipt.lineage?.root ?? executionId,
    terminated: isTerminated(log, executionId),
    tool: receipt.tool,
    revoked: isRevoked(receipt, governance),
  };
}

/** The tokens of a parent are in the child's own chain and revoked with it; its runtime and its policy are its own. */
export function isRevoked(
  { artifact, agent, policy, environment }: DecisionReceipt,
  state: GovernanceState,
): boolean {
  const initiator = artifact?.initiator?.id;
  const revocation = state.findRevocation({
    tokens: artifact?.tokenIds ?? [],
    holders: artifact?.holders ?? [],
    subjects: [agent, initiator].filter((subject) => subject !== undefined),
    issuers: artifact === undefined ? [] : [artifact.issuer],
    ...(policy === undefined ? {} : { policyDigest: policy.digest }),
    ...(environment === undefined ? {} : { environmentDigest: environment.digest }),
  });
  return revocation !== undefined;
}

/** An outcome that cannot be read counts as the worst it may say. */
function isTerminated(log: Entries, executionId: string): boolean {
  return log.lookup(`outcome:${executionId}`).some((index) => {
    const [entry] = log.read(index, 1);
    const outcome = entry === undefined ? undefined : parseOutcomeReceipt(entry);
    return outcome === undefined || isDenial(outcome) || outcome.status === 'terminated';
  });
}
