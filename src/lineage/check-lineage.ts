import { type Denial, deny } from '../denial/index.ts';

/** What a log that can be checked says about the parent of an execution. */
export interface ParentFact {
  readonly executionId: string;
  readonly verdict: 'permit' | 'deny';
  /** Hashes of the tokens of the chain it ran under, root first. */
  readonly tokenHashes: readonly string[];
  readonly leafTokenHash: string;
  /** A root execution has depth 0. */
  readonly depth: number;
  readonly rootExecutionId: string;
  /** Stopped by Writ because it no longer stood. */
  readonly terminated: boolean;
  readonly tool: string;
  /** Its authority has been revoked since. */
  readonly revoked?: boolean;
}

/** Where an execution stands in the graph. */
export interface LineagePosition {
  readonly depth: number;
  /** The root of its executions; absent where it is the root itself. */
  readonly rootExecutionId?: string;
}

export interface LineageInput {
  /** The parent execution that the proof names; undefined for a root execution. */
  readonly parentId: string | undefined;
  /** The parent as a checkable log has it; undefined where none has. */
  readonly fact: ParentFact | undefined;
  /** Hashes of the tokens of the chain that is presented now, root first. */
  readonly chainTokenHashes: readonly string[];
  /** Greatest depth of an execution; a root execution has depth 0. */
  readonly maxDepth: number;
}

/** Whether an execution may descend from the parent it names (stage 7). */
export function checkLineage(input: LineageInput): LineagePosition | Denial {
  const { parentId, fact, chainTokenHashes, maxDepth } = input;
  if (parentId === undefined) return { depth: 0 };
  // A fact about another execution, or one whose depth cannot be counted on from, is no fact about the parent.
  if (fact === undefined || fact.executionId !== parentId || !isDepth(fact.depth)) {
    return deny(
      'lineage.parent_unknown',
      `no log that can be checked holds ${isExecutionId(parentId) ? `execution ${parentId}` : 'what it names'}`,
    );
  }
  if (fact.verdict !== 'permit') return deny('lineage.parent_denied', `execution ${parentId} was denied`);
  if (fact.terminated) return deny('lineage.parent_denied', `execution ${parentId} was terminated`);
  if (fact.revoked === true) {
    return deny('lineage.parent_denied', `the authority of execution ${parentId} is revoked`);
  }
  // INVARIANT: a token's hash fixes all its ancestors (AAT `par_hash`), so the one hash places the parent's whole chain.
  if (!chainTokenHashes.includes(fact.leafTokenHash)) {
    return deny('lineage.root_mismatch', `execution ${parentId} ran under no token of this chain`);
  }
  const depth = fact.depth + 1;
  if (!(depth <= maxDepth)) return deny('lineage.too_deep', `depth ${depth} exceeds ${maxDepth}`);
  return { depth, rootExecutionId: fact.rootExecutionId };
}

/** Whatever else a caller names as its parent is text of the caller's, which is not repeated in a log. */
function isExecutionId(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}

function isDepth(depth: number): boolean {
  return Number.isSafeInteger(depth) && depth >= 0;
}
