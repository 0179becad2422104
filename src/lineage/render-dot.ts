import { describeEnd, describeVerification, holderOf, type Naming, timeOf } from './describe-entry.ts';
import type { LineageEntry } from './lineage-entry.ts';
import type { Relation } from './select-around.ts';
import type { LineageForest, LineageNode } from './tree.ts';
import { visibleText } from './visible-text.ts';

export interface Picture extends Naming {
  readonly relations: ReadonlyMap<string, Relation>;
  /** One line under the picture, such as what was left out. */
  readonly remark?: string;
}

const MAX_LINE = 120;

/** A lineage in Graphviz' DOT language. Everything from tokens and logs stands in quoted strings, escaped. */
export function renderDot({ roots }: LineageForest<LineageEntry>, picture: Picture): string {
  const lines = [
    'digraph lineage {',
    '  rankdir=LR;',
    '  node [shape=box, style="rounded,filled", fillcolor="white", fontname="sans-serif", fontsize=10];',
  ];
  if (picture.remark !== undefined) lines.push(`  label=${quoted([picture.remark])};`);
  for (const { node, parent } of nodesOf(roots)) {
    const { executionId, verdict } = node.fact;
    const colour = verdict === 'permit' ? '#1a7f37' : '#cf222e';
    const self = picture.relations.get(executionId) === 'self' ? ', penwidth=3' : '';
    lines.push(
      `  ${quoted([executionId])} [label=${quoted(labelOf(node, picture))}, color="${colour}"${self}];`,
    );
    if (parent !== undefined) lines.push(`  ${quoted([parent])} -> ${quoted([executionId])};`);
  }
  return `${[...lines, '}'].join('\n')}\n`;
}

function labelOf({ fact, cut }: LineageNode<LineageEntry>, { nameOf, relations }: Picture): string[] {
  const { verdict, tool, decision, delegations, policy, executionId } = fact;
  const relation = relations.get(executionId);
  return [
    `${verdict === 'permit' ? '✓' : '✗'} ${tool === '' ? '–' : tool}`,
    `${decision.code ?? describeEnd(fact)}  ${timeOf(decision.atMs)}`,
    delegations.map((link) => holderOf(link, nameOf)).join(' → ') || 'no artifact that verifies',
    ...(policy === undefined ? [] : [`policy ${policy.id} ${policy.digest}`]),
    describeVerification(fact),
    `${executionId}${relation === undefined ? '' : `  (${relation === 'self' ? 'this one' : relation})`}`,
    ...(cut === undefined ? [] : [cut]),
  ];
}

function* nodesOf(
  roots: readonly LineageNode<LineageEntry>[],
): Generator<{ readonly node: LineageNode<LineageEntry>; readonly parent?: string }> {
  const open: { node: LineageNode<LineageEntry>; parent?: string }[] = roots
    .toReversed()
    .map((node) => ({ node }));
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    yield item;
    const parent = item.node.fact.executionId;
    for (const child of item.node.children.toReversed()) open.push({ node: child, parent });
  }
}

/**
 * Lines as one quoted DOT string, each flush left. Graphviz reads a backslash as the start of an escape (`\N`, `\l`), and
 * `&…;` as a character reference, so both are escaped beside the quote.
 */
function quoted(lines: readonly string[]): string {
  const text = lines.map((line) =>
    visibleText(line, MAX_LINE).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('&', '&amp;'),
  );
  return lines.length === 1 ? `"${text[0]}"` : `"${text.join('\\l')}\\l"`;
}
