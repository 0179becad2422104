import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Link, selectAround } from './select-around.ts';

const link = (executionId: string, parentId?: string): Link => ({
  executionId,
  ...(parentId === undefined ? {} : { parentId }),
});
const TREE = [
  link('a'),
  link('b', 'a'),
  link('c', 'b'),
  link('d', 'c'),
  link('e', 'c'),
  link('f', 'd'),
  link('g', 'a'),
  link('h', 'g'),
];
const chosen = (links: readonly Link[], focus: string, max: number) =>
  selectAround(links, focus, max).chosen.map(({ executionId }) => executionId);

test('what is asked about comes first, then its ancestors upwards, its descendants downwards, and the rest', () => {
  expect(chosen(TREE, 'c', 100)).toEqual(['c', 'b', 'a', 'd', 'e', 'f', 'g', 'h']);
  const { relations, ancestors, descendants, omitted } = selectAround(TREE, 'c', 100);
  expect(Object.fromEntries(relations)).toEqual({
    c: 'self',
    b: 'ancestor',
    a: 'ancestor',
    d: 'descendant',
    e: 'descendant',
    f: 'descendant',
  });
  expect([ancestors, descendants, omitted]).toEqual([2, 3, 0]);
});

test('what does not fit is counted, the farthest first, and relatives are counted whole', () => {
  expect(chosen(TREE, 'c', 4)).toEqual(['c', 'b', 'a', 'd']);
  expect(selectAround(TREE, 'c', 4)).toMatchObject({ omitted: 4, ancestors: 2, descendants: 3 });
});

test('whatever the parents say, nothing is chosen twice or lost, and every relative is one', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', '__proto__');
  const links = fc
    .array(fc.tuple(id, fc.option(id, { nil: undefined })))
    .map((pairs) => pairs.map(([own, parent]) => link(own, parent)));
  fc.assert(
    fc.property(links, id, fc.nat(8), (list, focus, max) => {
      const selection = selectAround(list, focus, max);
      const ids = selection.chosen.map(({ executionId }) => executionId);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.length + selection.omitted).toBe(new Set(list.map(({ executionId }) => executionId)).size);
      expect(ids.length).toBeLessThanOrEqual(max);
    }),
    { numRuns: 2000 },
  );
});

test('a chain of 100,000 is followed without deep recursion', () => {
  const chain = Array.from({ length: 100_000 }, (_, index) =>
    link(String(index).padStart(6, '0'), index === 0 ? undefined : String(index - 1).padStart(6, '0')),
  );
  expect(selectAround(chain, '050000', 10)).toMatchObject({ ancestors: 50_000, descendants: 49_999 });
});
