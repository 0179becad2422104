import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../codec/index.ts';
import { buildPolicyBundle, toolDefinitionDigest } from '../../policy/index.ts';
import { protocolDefinitions } from './protocol-definitions.ts';
import { readyHarness } from './session.test-support.ts';

const definitions = protocolDefinitions('fs');
const digests = new Map(definitions.map(({ id, definition }) => [id, toolDefinitionDigest(definition)]));

describe('what is governed like a tool', () => {
  it.each<[string, 'client' | 'upstream', string, JsonObject]>([
    ['mcp://fs/resources/read', 'client', 'resources/read', { uri: 'a:b' }],
    ['mcp://fs/resources/subscribe', 'client', 'resources/subscribe', { uri: 'a:b' }],
    [
      'mcp://fs/resources/subscribe',
      'client',
      'subscriptions/listen',
      {
        notifications: { resourceSubscriptions: ['a:b'] },
      },
    ],
    ['mcp://fs/prompts/get', 'client', 'prompts/get', { name: 'p' }],
    ['mcp://fs/completion/complete', 'client', 'completion/complete', { ref: {}, argument: {} }],
    ['mcp://fs/sampling/createMessage', 'upstream', 'sampling/createMessage', { messages: [] }],
    ['mcp://fs/elicitation/create', 'upstream', 'elicitation/create', { message: 'm' }],
    ['mcp://fs/roots/list', 'upstream', 'roots/list', {}],
  ])(
    '%s asked by the %s as %s is decided with the definition a bundle can pin',
    async (id, side, method, params) => {
      const h = await readyHarness();
      h[side]({ jsonrpc: '2.0', id: 1, method, params });
      await h.settle();
      expect(h.governor.runs.map(({ action }) => [action.tool, action.toolDigest])).toEqual([
        [id, digests.get(id)],
      ]);
      expect(digests.get(id)).toBeDefined();
    },
  );

  it('a question inside an answer, too', async () => {
    const h = await readyHarness();
    h.client({ jsonrpc: '2.0', id: 1, method: 'prompts/get', params: { name: 'p' } });
    await h.settle();
    const inputRequests = { q: { method: 'elicitation/create', params: { message: 'm' } } };
    h.upstream({ jsonrpc: '2.0', id: 1, result: { resultType: 'input_required', inputRequests } });
    await h.settle();
    const [, question] = h.governor.runs;
    expect(question?.action.toolDigest).toBe(digests.get('mcp://fs/elicitation/create'));
  });

  it('can be spoken of in a policy', () => {
    const text = `permit (principal, action == Writ::Action::"mcp://fs/resources/read", resource)
when { context.input.uri like "file:///public/*" };`;
    const bundle = buildPolicyBundle({ id: 'x', policies: [{ path: 'x.cedar', text }], tools: definitions });
    expect(bundle).toHaveProperty('digest');
  });
});
