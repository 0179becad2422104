import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../codec/index.ts';
import { type ActionGroup, actionGroupOf, toolDefinitionDigest } from './tool.ts';

describe('the group of a tool', () => {
  it.each<[JsonObject, ActionGroup]>([
    [{}, 'destructive'],
    [{ annotations: {} }, 'destructive'],
    [{ annotations: { readOnlyHint: true } }, 'read'],
    [{ annotations: { readOnlyHint: true, destructiveHint: false } }, 'read'],
    [{ annotations: { readOnlyHint: true, destructiveHint: true } }, 'destructive'],
    [{ annotations: { destructiveHint: false } }, 'write'],
    [{ annotations: { readOnlyHint: false, destructiveHint: false } }, 'write'],
    [{ annotations: { readOnlyHint: false } }, 'destructive'],
    [{ annotations: { readOnlyHint: 'true' } }, 'destructive'],
    [{ annotations: { readOnlyHint: 1, destructiveHint: false } }, 'destructive'],
    [{ annotations: [] }, 'destructive'],
    [{ readOnlyHint: true }, 'destructive'],
  ])('%j is %s', (definition, group) => {
    expect(actionGroupOf(definition)).toBe(group);
  });
});

describe('the digest of a tool definition', () => {
  const definition = { name: 'x', description: 'd', inputSchema: { type: 'object', properties: {} } };

  it('is pinned', () => {
    expect(toolDefinitionDigest(definition)).toMatchInlineSnapshot(
      `"sha256:601a334ac58944985b908f7980fa950488ca714738923c12f4b5a3836792aef7"`,
    );
  });

  it('covers every member a reader goes by, and no order or decoration', () => {
    const digest = toolDefinitionDigest(definition);
    for (const member of ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations']) {
      expect(toolDefinitionDigest({ ...definition, [member]: 'other' })).not.toBe(digest);
    }
    expect(toolDefinitionDigest({ ...definition, icons: [], _meta: {} })).toBe(digest);
    expect(toolDefinitionDigest(Object.fromEntries(Object.entries(definition).reverse()))).toBe(digest);
  });
});
