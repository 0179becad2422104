import type { LineageEntry } from './lineage-entry.ts';
import type { Relation } from './select-around.ts';
import type { LineageForest } from './tree.ts';

/** Flat, in drawing order: JSON nested as deep as a log says would be nobody's friend. */
export function lineageJson(
  { roots }: LineageForest<LineageEntry>,
  relations: ReadonlyMap<string, Relation>,
): object[] {
  const executions: object[] = [];
  const open = roots.toReversed().map((node) => ({ node, depth: 0 }));
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { node, depth } = item;
    executions.push({
      ...entryJson(node.fact),
      depth,
      relation: relations.get(node.fact.executionId) ?? null,
      ...(node.cut === undefined ? {} : { cut: node.cut }),
    });
    for (const child of node.children.toReversed()) open.push({ node: child, depth: depth + 1 });
  }
  return executions;
}

function entryJson(entry: LineageEntry): object {
  const { executionId, parentId, rootExecutionId, verdict, tool, outcome, log, index, leafHash } = entry;
  return {
    execution: executionId,
    parent: parentId ?? null,
    root: rootExecutionId,
    verdict,
    tool,
    outcome: outcome ?? null,
    atMs: entry.decision.atMs,
    endedAtMs: entry.end?.atMs ?? null,
    log,
    index,
    leafHash,
    origin: entry.origin ?? null,
    delegations: entry.delegations,
    policy: entry.policy ?? null,
    verification: entry.verification,
  };
}
