import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { checkLineage, type LineageInput, type ParentFact } from './check-lineage.ts';

const fact: ParentFact = {
  executionId: 'parent',
  verdict: 'permit',
  tokenHashes: ['root', 'middle'],
  leafTokenHash: 'middle',
  depth: 1,
  rootExecutionId: 'first',
  terminated: false,
  tool: 'mcp://fs/tools/read_text_file',
};
const input: LineageInput = {
  parentId: 'parent',
  fact,
  chainTokenHashes: ['root', 'middle', 'leaf'],
  maxDepth: 8,
};

test('no parent named: a root execution, whatever else is said', () => {
  expect(checkLineage({ ...input, parentId: undefined })).toEqual({ depth: 0 });
});

test('a child stands one below its parent, under the same root execution', () => {
  expect(checkLineage(input)).toEqual({ depth: 2, rootExecutionId: 'first' });
});

test('a parent under the very same chain is a parent', () => {
  expect(checkLineage({ ...input, chainTokenHashes: ['root', 'middle'] })).toMatchObject({ depth: 2 });
});

test.each<[string, string, Partial<LineageInput>]>([
  ['no log holds the parent', 'lineage.parent_unknown', { fact: undefined }],
  [
    'the fact is about another execution',
    'lineage.parent_unknown',
    { fact: { ...fact, executionId: 'other' } },
  ],
  [
    'the depth of the parent is no number',
    'lineage.parent_unknown',
    { fact: { ...fact, depth: Number.NaN } },
  ],
  ['the depth of the parent is negative', 'lineage.parent_unknown', { fact: { ...fact, depth: -5 } }],
  ['the parent was denied', 'lineage.parent_denied', { fact: { ...fact, verdict: 'deny' } }],
  ['the parent was terminated', 'lineage.parent_denied', { fact: { ...fact, terminated: true } }],
  ['the parent is revoked', 'lineage.parent_denied', { fact: { ...fact, revoked: true } }],
  ['the parent ran under another chain', 'lineage.root_mismatch', { chainTokenHashes: ['other', 'leaf'] }],
  [
    'only the root token is shared, the parent ran under a sibling',
    'lineage.root_mismatch',
    {
      chainTokenHashes: ['root', 'sibling'],
    },
  ],
  [
    'the child has less authority than the parent ran under',
    'lineage.root_mismatch',
    { chainTokenHashes: ['root'] },
  ],
  ['the depth is one too many', 'lineage.too_deep', { maxDepth: 1 }],
  ['no depth is allowed', 'lineage.too_deep', { maxDepth: 0 }],
  ['the bound is no number', 'lineage.too_deep', { maxDepth: Number.NaN }],
])('%s: %s', (_name, code, change) => {
  expect(checkLineage({ ...input, ...change })).toMatchObject({ code });
});

test('depth may reach its bound and not pass it', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.nat(20), (depth, maxDepth) => {
      const position = checkLineage({ ...input, fact: { ...fact, depth }, maxDepth });
      expect(isDenial(position)).toBe(depth + 1 > maxDepth);
    }),
  );
});

test('the order of the token hashes changes nothing', () => {
  const hashes = fc.shuffledSubarray(['root', 'middle', 'leaf']);
  fc.assert(
    fc.property(hashes, (chainTokenHashes) => {
      expect(isDenial(checkLineage({ ...input, chainTokenHashes }))).toBe(
        !chainTokenHashes.includes('middle'),
      );
    }),
  );
});
