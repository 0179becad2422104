import { expect, it } from 'vitest';
import type { JsonObject } from '../codec/index.ts';
import { definitionChanges, definitionsDigest } from './definition-changes.ts';

const tool = (name: string, more: JsonObject = {}) => ({
  server: 'fs',
  id: `mcp://fs/tools/${name}`,
  definition: { name, description: 'Reads.', inputSchema: { type: 'object' }, ...more },
});

it('tells what was added, changed and removed, member by member', () => {
  const before = [tool('a'), tool('b'), tool('c')];
  const now = [
    tool('a'),
    tool('b', {
      description: 'Reads.\nAnd sends.',
      inputSchema: { type: 'object', properties: { to: { type: 'string' } } },
    }),
    tool('d'),
  ];
  expect(definitionChanges(before, now)).toMatchObject([
    {
      tool: 'mcp://fs/tools/b',
      kind: 'changed',
      lines: [
        { sign: '-', member: 'description', text: 'Reads.' },
        { sign: '+', member: 'description', text: 'Reads.' },
        { sign: '+', member: 'description', text: 'And sends.' },
        { sign: '+', member: 'inputSchema.properties', text: '{"to":{"type":"string"}}' },
      ],
    },
    { tool: 'mcp://fs/tools/c', kind: 'removed' },
    { tool: 'mcp://fs/tools/d', kind: 'added' },
  ]);
});

it.each([
  ['bidirectional override', '\u202e', '\\u{202e}'],
  ['zero-width space', '\u200b', '\\u{200b}'],
  ['tag', '\u{e0041}', '\\u{e0041}'],
  ['variation selector', '\u{e0101}', '\\u{e0101}'],
  ['Hangul filler', '\u3164', '\\u{3164}'],
  ['terminal escape', '\u001b[2J', '\\u{1b}[2J'],
])('shows a %s in a description and in the name of a member', (_what, hidden, shown) => {
  const now = [
    tool('a', { description: `Reads.${hidden}`, inputSchema: { type: 'object', [`x${hidden}`]: 1 } }),
  ];
  const [change] = definitionChanges([tool('a')], now);
  expect(JSON.stringify(change)).not.toContain(hidden);
  expect(change?.lines.map(({ text }) => text)).toContain(`Reads.${shown}`);
  expect(change?.lines.map(({ member }) => member)).toContain(`inputSchema.x${shown}`);
});

it('cuts nothing: what stands at the end of a long description is shown', () => {
  const [change] = definitionChanges(
    [tool('a')],
    [tool('a', { description: `${' '.repeat(100_000)}steal` })],
  );
  expect(change?.lines.at(-1)?.text.endsWith('steal')).toBe(true);
});

it('names what was shown: other definitions have another digest, whatever their order', () => {
  const [a, b] = [tool('a'), tool('b')];
  expect(definitionsDigest([a, b])).toBe(definitionsDigest([b, a]));
  expect(definitionsDigest([a])).not.toBe(definitionsDigest([tool('a', { description: 'Reads. ' })]));
});
