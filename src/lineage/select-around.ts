/** How an execution stands to the one that is asked about. */
export type Relation = 'self' | 'ancestor' | 'descendant';

export interface Link {
  readonly executionId: string;
  readonly parentId?: string;
}

export interface Selection<L extends Link> {
  /** At most as many as asked for: the one asked about, its ancestors, its descendants, then others of the tree. */
  readonly chosen: readonly L[];
  readonly relations: ReadonlyMap<string, Relation>;
  /** Ancestors and descendants in all, chosen or not. */
  readonly ancestors: number;
  readonly descendants: number;
  readonly omitted: number;
}

/**
 * Picks what to show of a lineage, nearest first: ancestors from the parent up, descendants level by level in order of
 * their ids, then the rest in order of theirs. Of two links with one id the first counts. Circles end where they close.
 */
export function selectAround<L extends Link>(links: readonly L[], focus: string, max: number): Selection<L> {
  const byId = new Map<string, L>();
  for (const link of links) if (!byId.has(link.executionId)) byId.set(link.executionId, link);
  const children = childrenOf(byId);
  const relations = new Map<string, Relation>();
  const order: L[] = [];
  const take = (link: L | undefined, relation: Relation): boolean => {
    if (link === undefined || relations.has(link.executionId)) return false;
    relations.set(link.executionId, relation);
    order.push(link);
    return true;
  };
  take(byId.get(focus), 'self');
  for (let link = byId.get(focus); link?.parentId !== undefined; ) {
    link = byId.get(link.parentId);
    if (!take(link, 'ancestor')) break;
  }
  const ancestors = Math.max(0, relations.size - 1);
  const queue = [focus];
  for (const id of queue) {
    for (const child of children.get(id) ?? []) if (take(child, 'descendant')) queue.push(child.executionId);
  }
  const descendants = Math.max(0, relations.size - 1 - ancestors);
  for (const link of byIdOrder([...byId.values()])) if (!relations.has(link.executionId)) order.push(link);
  return {
    chosen: order.slice(0, max),
    relations,
    ancestors,
    descendants,
    omitted: Math.max(0, order.length - max),
  };
}

function childrenOf<L extends Link>(byId: ReadonlyMap<string, L>): ReadonlyMap<string, readonly L[]> {
  const children = new Map<string, L[]>();
  for (const link of byIdOrder([...byId.values()])) {
    if (link.parentId === undefined) continue;
    const siblings = children.get(link.parentId);
    if (siblings === undefined) children.set(link.parentId, [link]);
    else siblings.push(link);
  }
  return children;
}

function byIdOrder<L extends Link>(links: L[]): L[] {
  return links.sort((left, right) => (left.executionId < right.executionId ? -1 : 1));
}
