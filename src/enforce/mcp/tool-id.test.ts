import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isServerName, mcpToolId } from './tool-id.ts';

describe('mcpToolId', () => {
  it.each([
    ['read_text_file', 'mcp://fs/tools/read_text_file'],
    ['DATA_EXPORT_v2', 'mcp://fs/tools/DATA_EXPORT_v2'],
    ['admin.tools.list', 'mcp://fs/tools/admin.tools.list'],
    ['a/b', 'mcp://fs/tools/a%2Fb'],
    ['a%2Fb', 'mcp://fs/tools/a%252Fb'],
    ['..', 'mcp://fs/tools/%2E%2E'],
    ['.', 'mcp://fs/tools/%2E'],
    ["it's (*)!", 'mcp://fs/tools/it%27s%20%28%2A%29%21'],
    ['é', 'mcp://fs/tools/%C3%A9'],
    ['e\u0301', 'mcp://fs/tools/e%CC%81'],
    ['a\u200bb', 'mcp://fs/tools/a%E2%80%8Bb'],
    ['', 'mcp://fs/tools/'],
  ])('%j', (name, id) => {
    expect(mcpToolId('fs', 'tools', name)).toBe(id);
  });

  it('never gives two names one identifier', () => {
    const text = fc.string({
      unit: fc.constantFrom('%', '2', 'E', 'e', '.', '/', 'a', 'A', 'é', ' '),
      maxLength: 6,
    });
    fc.assert(
      fc.property(text, text, (left, right) => {
        const same = mcpToolId('fs', 'tools', left) === mcpToolId('fs', 'tools', right);
        expect(same).toBe(left === right);
      }),
      { numRuns: 10_000 },
    );
  });

  it('stays within its area, and is plain ASCII', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        expect(mcpToolId('fs', 'tools', name)).toMatch(/^mcp:\/\/fs\/tools\/[A-Za-z0-9._~%-]*$/);
      }),
    );
  });

  it('refuses what has no identifier', () => {
    expect(() => mcpToolId('fs', 'tools', '\ud800')).toThrow(TypeError);
    expect(() => mcpToolId('f/s', 'tools', 'a')).toThrow(TypeError);
  });
});

describe('isServerName', () => {
  it.each(['fs', 'F', 'my-server_1.x'])('accepts %s', (name) => expect(isServerName(name)).toBe(true));
  it.each(['', '.', '..', 'a/b', 'a b', '-a', 'a.', 'a%', 'é', 'a'.repeat(65), 'a\n'])('refuses %j', (name) =>
    expect(isServerName(name)).toBe(false),
  );
});
