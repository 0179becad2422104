import type { ExecutionFact, LineageNode } from './tree.ts';

/** Levels drawn; what lies deeper is counted, so that text stays linear in the number of nodes. */
const MAX_DRAWN_LEVELS = 64;

/**
 * A tree as lines of text with box-drawing characters.
 *
 * @param label lines of text for a node, one or more; it is the caller's to keep control characters out of them.
 */
export function formatLineageTree<F extends ExecutionFact>(
  root: LineageNode<F>,
  label: (node: LineageNode<F>, parent: LineageNode<F> | undefined) => string | readonly string[],
): string[] {
  const lines: string[] = [];
  // A stack of its own: the depth of the tree is whatever the log says, the call stack's is not.
  const open: Open<F>[] = [{ node: root, parent: undefined, first: '', rest: '', level: 0 }];
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { node, parent, first, rest, level } = item;
    const text = label(node, parent);
    const [head = '', ...details] = typeof text === 'string' ? [text] : text;
    lines.push(first + head);
    for (const detail of details) lines.push(`${rest}${node.children.length > 0 ? '│' : ' '}    ${detail}`);
    if (level === MAX_DRAWN_LEVELS && node.children.length > 0) {
      lines.push(`${rest}└─ … ${countDescendants(node)} more below`);
      continue;
    }
    for (const [index, child] of [...node.children.entries()].reverse()) {
      const last = index === node.children.length - 1;
      open.push({
        node: child,
        parent: node,
        first: `${rest}${last ? '└─ ' : '├─ '}`,
        rest: `${rest}${last ? '   ' : '│  '}`,
        level: level + 1,
      });
    }
  }
  return lines;
}

interface Open<F extends ExecutionFact> {
  readonly node: LineageNode<F>;
  readonly parent: LineageNode<F> | undefined;
  readonly first: string;
  readonly rest: string;
  readonly level: number;
}

function countDescendants(root: LineageNode): number {
  const open = [...root.children];
  let count = 0;
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    count += 1;
    for (const child of node.children) open.push(child);
  }
  return count;
}
