import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatLineageTree } from './format-tree.ts';
import { buildLineageForest, type ExecutionFact, type LineageNode } from './tree.ts';

function execution(executionId: string, parentId?: string): ExecutionFact {
  return {
    executionId,
    ...(parentId === undefined ? {} : { parentId }),
    rootExecutionId: 'a',
    verdict: 'permit',
    tool: 'tool',
  };
}

function idsOf(roots: readonly LineageNode[]): string[] {
  const open = [...roots];
  const ids: string[] = [];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    ids.push(node.fact.executionId);
    open.push(...node.children);
  }
  return ids.sort();
}

const label = ({ fact: { executionId }, cut }: LineageNode) => executionId + (cut ? ` (${cut})` : '');

test('executions are drawn under their parents, in order of their ids', () => {
  const facts = [
    execution('g', 'b'),
    execution('a'),
    execution('d', 'a'),
    execution('b', 'a'),
    execution('c', 'b'),
    execution('e', 'd'),
  ];
  const { roots, omitted } = buildLineageForest(facts);
  expect(omitted).toBe(0);
  expect(roots.flatMap((root) => formatLineageTree(root, label))).toEqual([
    'a',
    '├─ b',
    '│  ├─ c',
    '│  └─ g',
    '└─ d',
    '   └─ e',
  ]);
});

test('a parent that is not among the facts is marked, not invented', () => {
  const { roots } = buildLineageForest([execution('b', 'gone'), execution('c', 'b')]);
  expect(roots.flatMap((root) => formatLineageTree(root, label))).toEqual(['b (parent-missing)', '└─ c']);
});

test('circles are cut at their smallest id', () => {
  const { roots } = buildLineageForest([
    execution('z', 'y'),
    execution('x', 'z'),
    execution('y', 'x'),
    execution('tail', 'z'),
    execution('self', 'self'),
  ]);
  expect(roots.flatMap((root) => formatLineageTree(root, label))).toEqual([
    'self (cycle)',
    'x (cycle)',
    '└─ y',
    '   └─ z',
    '      └─ tail',
  ]);
});

test('of two facts with one id the first counts', () => {
  const { roots, omitted } = buildLineageForest([execution('a'), execution('b', 'a'), execution('b')]);
  expect(idsOf(roots)).toEqual(['a', 'b']);
  expect(roots).toHaveLength(1);
  expect(omitted).toBe(0);
});

test('whatever the parents say, each execution appears once, and the order of the facts changes nothing', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', '__proto__');
  const facts = fc
    .uniqueArray(fc.tuple(id, fc.option(id, { nil: undefined })), { selector: ([own]) => own })
    .map((pairs) => pairs.map(([own, parent]) => execution(own, parent)));
  fc.assert(
    fc.property(facts, (list) => {
      const { roots } = buildLineageForest(list);
      expect(idsOf(roots)).toEqual(list.map(({ executionId }) => executionId).sort());
      expect(buildLineageForest([...list].reverse()).roots).toEqual(roots);
    }),
    { numRuns: 2000 },
  );
});

test('nodes are bounded and the rest is counted', () => {
  const { roots, omitted } = buildLineageForest(
    Array.from({ length: 10 }, (_, index) => execution(String(index))),
    { maxNodes: 4 },
  );
  expect(roots).toHaveLength(4);
  expect(omitted).toBe(6);
});

test('a chain of 10,000 executions is drawn down to a level, without deep recursion or quadratic text', () => {
  const facts = Array.from({ length: 10_000 }, (_, index) => {
    const id = (number: number) => String(number).padStart(5, '0');
    return execution(id(index), index === 0 ? undefined : id(index - 1));
  });
  const { roots } = buildLineageForest(facts);
  const lines = roots.flatMap((root) => formatLineageTree(root, label));
  expect(lines).toHaveLength(66);
  expect(lines.at(-1)).toContain('9935 more below');
});
