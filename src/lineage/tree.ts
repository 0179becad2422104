/** One execution as the logs tell it, for showing who led to what. */
export interface ExecutionFact {
  readonly executionId: string;
  readonly parentId?: string;
  readonly rootExecutionId: string;
  readonly verdict: 'permit' | 'deny';
  readonly tool: string;
  /** Status of the outcome receipt, where there is one. */
  readonly outcome?: string;
}

export interface LineageNode<F extends ExecutionFact = ExecutionFact> {
  readonly fact: F;
  /** Ordered by execution id, which orders UUIDv7s by time. */
  readonly children: readonly LineageNode<F>[];
  /**
   * Why a node that names a parent stands at the top: its parent is not among the facts, or the parents go in a circle
   * that was cut here. Neither can come of an undamaged log that is read whole.
   */
  readonly cut?: 'parent-missing' | 'cycle';
}

export interface LineageForest<F extends ExecutionFact = ExecutionFact> {
  /** Ordered by execution id. */
  readonly roots: readonly LineageNode<F>[];
  /** Facts left out because there were more than `maxNodes`. */
  readonly omitted: number;
}

const DEFAULT_MAX_NODES = 10_000;

interface Draft<F extends ExecutionFact = ExecutionFact> {
  readonly fact: F;
  readonly children: Draft<F>[];
  cut?: 'parent-missing' | 'cycle';
}

/**
 * Orders executions into trees. Each fact appears once, whatever the parents say: unknown parents and circles are cut
 * and marked. Of two facts with one id the first counts. The order of the facts otherwise changes nothing, up to
 * `maxNodes` of them. Time n log n.
 */
export function buildLineageForest<F extends ExecutionFact>(
  facts: Iterable<F>,
  { maxNodes = DEFAULT_MAX_NODES }: { readonly maxNodes?: number } = {},
): LineageForest<F> {
  const byId = new Map<string, Draft<F>>();
  let omitted = 0;
  for (const fact of facts) {
    if (byId.has(fact.executionId)) continue;
    if (byId.size < maxNodes) byId.set(fact.executionId, { fact, children: [] });
    else omitted += 1;
  }
  const nodes = [...byId.values()].sort(compareDrafts);
  cutCycles(nodes, byId);
  const roots: Draft<F>[] = [];
  for (const node of nodes) {
    const parent = parentOf(node, byId);
    if (parent !== undefined) parent.children.push(node);
    else {
      if (node.fact.parentId !== undefined) node.cut ??= 'parent-missing';
      roots.push(node);
    }
  }
  return { roots, omitted };
}

function parentOf<F extends ExecutionFact>(
  { fact, cut }: Draft<F>,
  byId: ReadonlyMap<string, Draft<F>>,
): Draft<F> | undefined {
  return fact.parentId === undefined || cut === 'cycle' ? undefined : byId.get(fact.parentId);
}

/** Marks the smallest id of every circle of parents. */
function cutCycles(nodes: readonly Draft[], byId: ReadonlyMap<string, Draft>): void {
  /** Nodes known to lead to a root. */
  const settled = new Set<Draft>();
  for (const start of nodes) {
    const path = new Set<Draft>();
    let node: Draft | undefined = start;
    while (node !== undefined && !settled.has(node) && !path.has(node)) {
      path.add(node);
      node = parentOf(node, byId);
    }
    if (node !== undefined && path.has(node)) {
      const walked = [...path];
      const [smallest] = walked.slice(walked.indexOf(node)).sort(compareDrafts);
      if (smallest !== undefined) smallest.cut = 'cycle';
    }
    for (const walked of path) settled.add(walked);
  }
}

function compareDrafts(left: Draft, right: Draft): number {
  if (left.fact.executionId === right.fact.executionId) return 0;
  return left.fact.executionId < right.fact.executionId ? -1 : 1;
}
