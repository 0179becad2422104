import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../codec/index.ts';
import { type Denial, deny } from '../../denial/index.ts';
import type { Action } from './ports.ts';
import { harness, NOT_GRANTED, parseObject, READ_TOOL, result } from './session.test-support.ts';

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
};

const toolsCall = (id: number, more: JsonObject = {}) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'read', arguments: { path: 'a' }, _meta: META, ...more },
});

const asks = (id: number, more: JsonObject = {}) => ({
  jsonrpc: '2.0',
  id,
  result: {
    resultType: 'input_required',
    inputRequests: {
      name: { method: 'elicitation/create', params: { message: 'Your name?', requestedSchema: {} } },
    },
    requestState: 'state-1',
    ...more,
  },
});

const answers = { name: { action: 'accept', content: { name: 'octocat' } } };

async function modern(decide: (action: Action) => Denial | undefined = () => undefined) {
  const h = harness({ decide });
  h.client({ jsonrpc: '2.0', id: 0, method: 'tools/list', params: { _meta: META } });
  h.listTools([READ_TOOL]);
  await h.settle();
  h.upstream({ jsonrpc: '2.0', id: 0, result: { tools: [READ_TOOL] } });
  h.toClient.length = 0;
  return h;
}

/** A call that has been asked for input. */
async function asked(decide?: (action: Action) => Denial | undefined, question = asks(1)) {
  const h = await modern(decide);
  h.client(toolsCall(1));
  await h.settle();
  h.upstream(question);
  await h.settle();
  return h;
}

describe('the stateless era (2026-07-28)', () => {
  it.each([
    ['is taken', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', true],
    ['that is malformed refuses no call', '00-0-0-01\r\nx-evil: 1', false],
    ['that is no text refuses no call', 1, false],
  ])("a caller's trace context %s, and is forwarded as it came", async (_name, traceparent, taken) => {
    const h = await modern();
    const line = JSON.stringify(toolsCall(1, { _meta: { ...META, traceparent, tracestate: 'a=1' } }));
    h.client(line);
    await h.settle();
    expect(h.governor.runs.at(-1)?.caller).toEqual(taken ? { traceparent, tracestate: 'a=1' } : undefined);
    expect(h.forwarded().at(-1)).toBe(line);
  });

  it('needs no handshake: definitions are listed with the version of the client', async () => {
    const h = await modern();
    expect(h.ownRequests('tools/list')[0]?.params).toHaveProperty('_meta', {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'writ', version: '0' },
      'io.modelcontextprotocol/clientCapabilities': {},
    });
    h.client(toolsCall(1));
    await h.settle();
    h.upstream(result(1));
    expect(h.answer(1)).toHaveProperty('result');
  });

  it('a probe alone lists nothing: the upstream may be of the older era', () => {
    const h = harness();
    h.client({ jsonrpc: '2.0', id: 0, method: 'server/discover', params: { _meta: META } });
    expect(h.toUpstream).toHaveLength(1);
  });

  it('changes are listened for by the gateway itself, without the client seeing any of it', async () => {
    const h = await modern();
    const id = h.ownRequests('subscriptions/listen')[0]?.id ?? '';
    const meta = { _meta: { 'io.modelcontextprotocol/subscriptionId': id } };
    h.upstream({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: meta });
    h.upstream({ jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: meta });
    await h.settle();
    expect(h.ownRequests('tools/list')).toHaveLength(2);
    h.upstream({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(h.toClient).toEqual([]);
    h.client(toolsCall(1));
    expect(h.ownRequests('subscriptions/listen')).toHaveLength(2);
  });

  it('denied tool results say that they are complete', async () => {
    const h = harness({
      decide: () => deny('policy.forbidden', ''),
      limits: { denialStyle: 'tool-result' },
    });
    h.client(toolsCall(1));
    h.listTools([READ_TOOL]);
    await h.settle();
    expect(h.answer(1)).toHaveProperty('result.resultType', 'complete');
  });
});

describe('input_required', () => {
  it('is let through once each question is permitted, as a child of the call', async () => {
    const h = await asked();
    expect(h.toClient).toEqual([JSON.stringify(asks(1))]);
    expect(h.governor.runs.map(({ action }) => action)).toMatchObject([
      { tool: 'mcp://fs/tools/read' },
      {
        tool: 'mcp://fs/elicitation/create',
        args: { message: 'Your name?', requestedSchema: {} },
        presentation: { aat_pop: 'proof of execution-1' },
      },
    ]);
    expect(h.governor.runs[0]?.end).toMatchObject({ note: 'upstream asked for input' });
  });

  it('its repeat is a call of its own, decided anew', async () => {
    const h = await asked();
    const repeat = toolsCall(2, { inputResponses: answers, requestState: 'state-1' });
    h.client(repeat);
    await h.settle();
    expect(h.forwarded().at(-1)).toBe(JSON.stringify(repeat));
    expect(h.governor.runsOf('mcp://fs/tools/read')).toHaveLength(2);
    h.upstream(result(2));
    expect(h.answer(2)).toHaveProperty('result');
  });

  it('a denied question never reaches the client: the call is denied instead', async () => {
    const h = await asked(({ tool }) => (tool.includes('elicitation') ? NOT_GRANTED : undefined));
    expect(h.answer(1)).toHaveProperty('error.data', {
      code: 'scope.tool_not_granted',
      receipt: 'execution-2',
    });
    expect(h.toClient.join()).not.toContain('Your name?');
    h.client(toolsCall(2, { inputResponses: answers, requestState: 'state-1' }));
    await h.settle();
    expect(h.answer(2)).toHaveProperty('error.data.code', 'request.malformed');
    expect(h.forwarded().map((line) => parseObject(line).id)).not.toContain(2);
  });

  it.each([
    ['another state', { inputResponses: answers, requestState: 'state-2' }],
    ['no state', { inputResponses: answers }],
    ['a state that is no string', { inputResponses: answers, requestState: { a: 1 } }],
    ['another answer', { inputResponses: { other: {} }, requestState: 'state-1' }],
    ['answers that are a list', { inputResponses: [], requestState: 'state-1' }],
    ['other arguments', { inputResponses: answers, requestState: 'state-1', arguments: { path: 'b' } }],
    ['another tool', { inputResponses: answers, requestState: 'state-1', name: 'write' }],
    ['another parameter', { inputResponses: answers, requestState: 'state-1', extra: 1 }],
  ])('a repeat with %s is denied', async (_what, more) => {
    const h = await asked();
    h.client(toolsCall(2, more));
    await h.settle();
    expect(h.answer(2)).toHaveProperty('error.data.code', 'request.malformed');
    expect(h.forwarded().map((line) => parseObject(line).id)).not.toContain(2);
  });

  it('is answered once, also when two repeats race', async () => {
    const h = await asked();
    const more = { inputResponses: answers, requestState: 'state-1' };
    h.client(toolsCall(2, more));
    h.client(toolsCall(3, more));
    await h.settle();
    h.client(toolsCall(4, more));
    await h.settle();
    const ids = h.forwarded().map((line) => parseObject(line).id);
    expect(ids.filter((id) => id === 2 || id === 3 || id === 4)).toHaveLength(1);
  });

  it('without questions (load shedding) needs no more authority than the call', async () => {
    const h = await asked(undefined, asks(1, { inputRequests: {} }));
    expect(h.governor.runs).toHaveLength(1);
    h.client(toolsCall(2, { requestState: 'state-1' }));
    await h.settle();
    expect(h.forwarded().map((line) => parseObject(line).id)).toContain(2);
  });

  it.each([
    ['a method nobody knows', { inputRequests: { a: { method: 'tools/call', params: {} } } }],
    ['a request that is none', { inputRequests: { a: 'x' } }],
    ['an alias', { inputRequests: { a: { method: 'roots/list', Method: 'x' } } }],
    [
      'too many',
      {
        inputRequests: Object.fromEntries(
          Array.from({ length: 65 }, (_, i) => [`k${i}`, { method: 'roots/list' }]),
        ),
      },
    ],
    ['under an endless name', { inputRequests: { ['k'.repeat(2000)]: { method: 'roots/list' } } }],
    ['a list', { inputRequests: [] }],
    ['a state that is no string', { requestState: 7 }],
  ])('is withheld when it asks %s', async (_what, more) => {
    const h = await asked(undefined, asks(1, more));
    expect(h.toClient).toHaveLength(1);
    expect(h.answer(1)).toHaveProperty('error.code', -32603);
  });

  it('is withheld from methods that cannot be asked', async () => {
    const h = await modern();
    h.client({
      jsonrpc: '2.0',
      id: 1,
      method: 'completion/complete',
      params: { ref: {}, argument: {}, _meta: META },
    });
    h.client({ jsonrpc: '2.0', id: 2, method: 'prompts/list', params: { _meta: META } });
    await h.settle();
    h.upstream(asks(1));
    h.upstream(asks(2));
    await h.settle();
    expect(h.answer(1)).toHaveProperty('error.code', -32603);
    expect(h.answer(2)).toHaveProperty('error.code', -32603);
  });

  it('hidden in a URL elicitation error (2025-11-25) is governed alike', async () => {
    const error = {
      jsonrpc: '2.0',
      id: 1,
      error: { code: -32042, message: 'm', data: { elicitations: [{ mode: 'url', url: 'https://evil' }] } },
    };
    const permitted = await asked(undefined, error as never);
    expect(permitted.toClient).toEqual([JSON.stringify(error)]);
    expect(permitted.governor.runsOf('mcp://fs/elicitation/create')).toHaveLength(1);
    const denied = await asked(
      ({ tool }) => (tool.includes('elicitation') ? NOT_GRANTED : undefined),
      error as never,
    );
    expect(denied.toClient.join()).not.toContain('evil');
  });
});

describe('subscriptions/listen', () => {
  const listen = (id: number, notifications: JsonObject) => ({
    jsonrpc: '2.0',
    id,
    method: 'subscriptions/listen',
    params: { notifications, _meta: META },
  });
  const meta = (id: number) => ({ _meta: { 'io.modelcontextprotocol/subscriptionId': id } });

  it('to list changes passes, with its notifications and its end', async () => {
    const h = await modern(() => NOT_GRANTED);
    h.client(listen(1, { toolsListChanged: true }));
    h.upstream({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: meta(1) });
    h.upstream({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed', params: meta(2) });
    const end = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };
    h.upstream(end);
    h.upstream({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed', params: meta(1) });
    expect(h.toClient.map((line) => parseObject(line).method)).toEqual([
      'notifications/subscriptions/acknowledged',
      'notifications/cancelled',
    ]);
  });

  it('to resources needs the authority to subscribe to each of them', async () => {
    const uris = { resourceSubscriptions: ['file:///a', 'file:///b'] };
    const h = await modern();
    h.client(listen(1, uris));
    await h.settle();
    expect(h.governor.runs.map(({ action }) => action)).toMatchObject([
      { tool: 'mcp://fs/resources/subscribe', args: { uri: 'file:///a' } },
      { tool: 'mcp://fs/resources/subscribe', args: { uri: 'file:///b' } },
    ]);
    expect(h.forwarded().map((line) => parseObject(line).id)).toContain(1);
    expect(h.session.isQuiet).toBe(false);
    h.client({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    await h.settle();
    expect(h.governor.runs.map(({ end }) => end?.status)).toEqual(['succeeded', 'succeeded']);

    const denied = await modern(({ args }) => (args.uri === 'file:///b' ? NOT_GRANTED : undefined));
    denied.client(listen(1, uris));
    await denied.settle();
    expect(denied.forwarded().map((line) => parseObject(line).id)).not.toContain(1);
    expect(denied.answer(1)).toHaveProperty('error.data.code', 'scope.tool_not_granted');
    expect(denied.governor.runs.map(({ end }) => end?.status)).toEqual(['failed', undefined]);
  });

  it('ends when the authority for one of its resources does', async () => {
    const h = await modern();
    h.client(listen(1, { resourceSubscriptions: ['file:///a', 'file:///b'] }));
    await h.settle();
    h.governor.runs[1]?.abort.abort(deny('revocation.revoked', ''));
    await h.settle();
    expect(parseObject(h.forwarded().at(-1) ?? '')).toMatchObject({ method: 'notifications/cancelled' });
    expect(h.answer(1)).toHaveProperty('error.data.code', 'revocation.revoked');
  });
});
