import { describe, expect, it, vi } from 'vitest';
import { isOutOfProportion } from '../../codec/index.ts';
import { parseMessage } from './message.ts';

const LARGE = 400_000;
const MAX_DEPTH = 64;

describe('a message that would take far more memory than it has bytes', () => {
  it.each([
    ['nesting without end', '['.repeat(LARGE)],
    ['nesting that ends', `${'['.repeat(LARGE)}${']'.repeat(LARGE)}`],
    ['nesting after a string that looks like its end', `{"a\\\\":${'{"b":'.repeat(LARGE / 5)}`],
    ['a crowd of empty objects', `[${'{},'.repeat(2_100_000)}{}]`],
    ['a crowd of numbers', `[${'1,'.repeat(2_100_000)}1]`],
  ])('is refused without being parsed: %s', (_what, text) => {
    const parse = vi.spyOn(JSON, 'parse');
    try {
      const message = parseMessage(Buffer.from(`${text}\n`), { maxBytes: 1e8, maxDepth: MAX_DEPTH });
      expect(message).toMatchObject({ kind: 'refused', denial: { code: 'request.malformed' } });
      expect(parse).not.toHaveBeenCalled();
    } finally {
      parse.mockRestore();
    }
  });

  it.each([
    ['a long string', 'x'.repeat(LARGE)],
    ['brackets and commas in a string', '[{,'.repeat(LARGE)],
    ['quotes and backslashes in a string', '"[\\"[\\\\'.repeat(LARGE)],
  ])('is not %s', (_what, content) => {
    const text = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { content, list: [1, [2]] } });
    expect(isOutOfProportion(Buffer.from(text), MAX_DEPTH)).toBe(false);
    const message = parseMessage(Buffer.from(`${text}\n`), { maxBytes: 1e8, maxDepth: MAX_DEPTH });
    expect(message).toMatchObject({ kind: 'response', id: 1 });
  });
});
