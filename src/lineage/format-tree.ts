import type { LineageNode } from './tree.ts';

/** Levels drawn; what lies deeper is counted, so that text stays linear in the number of nodes. */
const MAX_DRAWN_LEVELS = 64;

/**
 * A tree as lines of text with box-drawing characters.
 *
 * @param label one line of text for a node; it is the caller's to keep control characters out of it.
 */
export function formatLineageTree(root: LineageNode, label: (node: LineageNode) => string): string[] {
  const lines: string[] = [];
  // A stack of its own: the depth of the tree is whatever the log says, the call stack's is not.
  const open: { node: LineageNode; first: string; rest: string; level: number }[] = [
    { node: root, first: '', rest: '', level: 0 },
  ];
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { node, first, rest, level } = item;
    lines.push(first + label(node));
    if (level === MAX_DRAWN_LEVELS && node.children.length > 0) {
      lines.push(`${rest}└─ … ${countDescendants(node)} more below`);
      continue;
    }
    for (const [index, child] of [...node.children.entries()].reverse()) {
      const last = index === node.children.length - 1;
      open.push({
        node: child,
        first: `${rest}${last ? '└─ ' : '├─ '}`,
        rest: `${rest}${last ? '   ' : '│  '}`,
        level: level + 1,
      });
    }
  }
  return lines;
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
