import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deny } from '../../denial/index.ts';
import { FAULTS } from './answer.ts';
import {
  call,
  type HarnessOptions,
  harness,
  NOT_GRANTED,
  parseObject,
  readyHarness,
  result,
} from './session.test-support.ts';

const denyAll = () => NOT_GRANTED;

describe('requests from the client', () => {
  it('pass when they are the upkeep of the protocol, without a decision', async () => {
    const h = harness({ decide: denyAll });
    const methods = [
      'initialize',
      'ping',
      'server/discover',
      'logging/setLevel',
      'tools/list',
      'resources/list',
      'resources/templates/list',
      'resources/unsubscribe',
      'prompts/list',
    ];
    const lines = methods.map((method, id) => JSON.stringify({ jsonrpc: '2.0', id, method }));
    for (const line of lines) h.client(line);
    expect(h.forwarded()).toEqual(lines);
    expect(h.governor.runs).toEqual([]);
  });

  it('reach the upstream as the very bytes that were parsed, and answers the client likewise', async () => {
    const h = await readyHarness();
    const line =
      ' { "params" : {"name":"read","arguments":{"n":1.50e1,"s":"\\u0041"},"_meta":{"x":1}},"id":7, "jsonrpc":"2.0","method":"tools\\/call"}\r';
    h.client(line);
    await h.settle();
    expect(h.toUpstream).toEqual([line]);
    const answer = '{"result":{"content":[],"extra":{"b":2,"a":1.0}},  "id":7,"jsonrpc":"2.0"}';
    h.upstream(answer);
    await h.settle();
    expect(h.toClient).toEqual([answer]);
    expect(h.governor.runs).toMatchObject([
      { action: { tool: 'mcp://fs/tools/read', args: { n: 15, s: 'A' } }, end: { status: 'succeeded' } },
    ]);
    expect(h.governor.runs[0]?.end?.evidence).toBe(`${answer}\n`);
  });

  it.each([
    ['tools/call', { name: 'read' }, 'mcp://fs/tools/read', {}],
    ['tools/call', { name: 'a/../b c' }, 'mcp://fs/tools/a%2F..%2Fb%20c', {}],
    ['resources/read', { uri: 'file:///x' }, 'mcp://fs/resources/read', { uri: 'file:///x' }],
    ['resources/subscribe', { uri: 'file:///x' }, 'mcp://fs/resources/subscribe', { uri: 'file:///x' }],
    [
      'prompts/get',
      { name: 'p', arguments: { a: 'b' } },
      'mcp://fs/prompts/get',
      { name: 'p', arguments: { a: 'b' } },
    ],
    ['prompts/get', { name: 'p' }, 'mcp://fs/prompts/get', { name: 'p' }],
    [
      'completion/complete',
      { ref: { type: 'ref/prompt', name: 'p' }, argument: { name: 'a', value: 'v' } },
      'mcp://fs/completion/complete',
      { ref: { type: 'ref/prompt', name: 'p' }, argument: { name: 'a', value: 'v' } },
    ],
  ])('are governed: %s %j', async (method, params, tool, args) => {
    const permitted = await readyHarness();
    permitted.client({ jsonrpc: '2.0', id: 1, method, params });
    await permitted.settle();
    expect(permitted.governor.runs.map(({ action }) => [action.tool, action.args])).toEqual([[tool, args]]);
    expect(permitted.toUpstream).toHaveLength(1);

    const denied = await readyHarness({ decide: denyAll });
    denied.client({ jsonrpc: '2.0', id: 1, method, params });
    await denied.settle();
    expect(denied.toUpstream).toEqual([]);
    expect(denied.answer(1)).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: {
        code: -32003,
        message: 'The artifact does not grant this tool.',
        data: { code: 'scope.tool_not_granted', receipt: 'execution-1' },
      },
    });
  });

  it.each([
    ['tasks/get', {}],
    ['tasks/cancel', {}],
    ['tasks/result', {}],
    ['sampling/createMessage', {}],
    ['tools/call2', { name: 'read' }],
    ['Tools/Call', { name: 'read' }],
    ['toString', {}],
    ['__proto__', {}],
  ])('never pass when the method is not known: %s, whatever is granted', async (method, params) => {
    const h = await readyHarness();
    h.client({ jsonrpc: '2.0', id: 1, method, params });
    await h.settle();
    expect(h.toUpstream).toEqual([]);
    expect(h.answer(1)).toHaveProperty('error.message', 'The method is not supported here.');
    expect(h.governor.runs).toMatchObject([{ end: { status: 'failed', note: 'method is never forwarded' } }]);
  });

  it.each([
    ['a tool without a name', { method: 'tools/call', params: { arguments: {} } }],
    ['a tool with an empty name', { method: 'tools/call', params: { name: '' } }],
    ['arguments that are a list', { method: 'tools/call', params: { name: 'read', arguments: [] } }],
    ['arguments that are null', { method: 'tools/call', params: { name: 'read', arguments: null } }],
    ['a task', { method: 'tools/call', params: { name: 'read', task: { ttl: 1 } } }],
    [
      'twin arguments',
      { method: 'tools/call', params: { name: 'read', arguments: { path: 'a', Path: 'b' } } },
    ],
    ['what no proof covers', { method: 'tools/call', params: { name: 'read', dryRun: false } }],
    ['a second uri', { method: 'resources/read', params: { uri: 'a:b', uris: ['c:d'] } }],
    ['a uri that is a list', { method: 'resources/read', params: { uri: ['a'] } }],
    ['a hostile parent', { method: 'tools/call', params: { name: 'read', _meta: { 'writ/parent': 7 } } }],
    [
      'an endless parent',
      { method: 'tools/call', params: { name: 'read', _meta: { 'writ/parent': 'x'.repeat(300) } } },
    ],
    ['a _meta that is a list', { method: 'tools/call', params: { name: 'read', _meta: [] } }],
    [
      'input for nothing asked',
      { method: 'tools/call', params: { name: 'read', inputResponses: { a: {} } } },
    ],
    ['a state never given', { method: 'tools/call', params: { name: 'read', requestState: 's' } }],
    ['input on a list', { method: 'completion/complete', params: { inputResponses: {} } }],
    ['an unknown subscription', { method: 'subscriptions/listen', params: { notifications: { all: true } } }],
  ])('are denied, with a receipt, when malformed: %s', async (_what, message) => {
    const h = await readyHarness();
    h.client({ jsonrpc: '2.0', id: 1, ...message });
    await h.settle();
    expect(h.toUpstream).toEqual([]);
    expect(h.answer(1)).toHaveProperty('error.data', { code: 'request.malformed', receipt: 'execution-1' });
    expect(h.governor.runs).toMatchObject([{ denial: { code: 'request.malformed' } }]);
  });

  it.each([
    ['not JSON', '{"jsonrpc":"2.0","id":1,', -32700],
    ['a duplicate member', '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', -32700],
    [
      'a duplicate deep inside',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{"a":{"b":1,"b":2}}}}',
      -32700,
    ],
    [
      'a lone surrogate',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\\ud800"}}',
      -32700,
    ],
    [
      'an inexact number',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{"n":9007199254740993}}}',
      -32700,
    ],
    [
      'depth',
      `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${'['.repeat(70)}${']'.repeat(70)}}}`,
      -32700,
    ],
    [
      'a carriage return that some readers take for a newline',
      '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":\r{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"write"}}\r}}',
      -32700,
    ],
    ['an alias of method', '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}', -32600],
    [
      'an alias of a param',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","Name":"write"}}',
      -32600,
    ],
    [
      'an alias by Unicode case folding',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","taſk":{}}}',
      -32600,
    ],
    ['no version', '{"id":1,"method":"ping"}', -32600],
    ['params that are a list', '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600],
    ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}}]', -32600],
  ])('are refused before they are requests: %s', async (_what, line, code) => {
    const h = await readyHarness();
    h.client(line);
    await h.settle();
    expect(h.toUpstream).toEqual([]);
    expect(h.toClient).toHaveLength(1);
    expect(parseObject(h.toClient[0] ?? '')).toMatchObject({
      error: { code, data: { code: 'request.malformed' } },
    });
  });

  it.each([1.5, 2 ** 53, null, {}, [], true, 'x'.repeat(257)])('are refused with the id %j', async (id) => {
    const h = await readyHarness();
    h.client({ jsonrpc: '2.0', id, method: 'ping' });
    expect(h.toUpstream).toEqual([]);
    expect(h.toClient).toHaveLength(1);
    expect(parseObject(h.toClient[0] ?? '')).toMatchObject({ id: null, error: { code: -32600 } });
  });

  it('each element of a refused batch that names a free id hears of it', async () => {
    const h = await readyHarness();
    h.client(call(1, 'read'));
    await h.settle();
    h.client([call(1, 'read'), call(2, 'read'), { jsonrpc: '2.0', method: 'notifications/initialized' }]);
    await h.settle();
    expect(h.toUpstream).toHaveLength(1);
    expect(h.answer(1)).toBeUndefined();
    expect(h.answer(2)).toHaveProperty('error.code', -32600);
  });

  it('are refused under an id that is in flight, and the first one is answered', async () => {
    const h = await readyHarness();
    h.client(call(1, 'read', { n: 1 }));
    h.client(call(1, 'write', { n: 2 }));
    await h.settle();
    h.client({ jsonrpc: '2.0', id: 1, method: 'ping' });
    h.client(call('1', 'read', { n: 3 }));
    await h.settle();
    expect(h.toUpstream.map(parseObject)).toEqual([call(1, 'read', { n: 1 }), call('1', 'read', { n: 3 })]);
    expect(h.toClient.map(parseObject)).toMatchObject([
      { id: 1, error: { code: -32600 } },
      { id: 1, error: { code: -32600 } },
    ]);
    h.upstream(result(1));
    expect(h.toClient.at(-1)).toBe(JSON.stringify(result(1)));
    h.client(call(1, 'read'));
    await h.settle();
    expect(h.toUpstream).toHaveLength(3);
  });

  it('are bounded in number', async () => {
    const h = await readyHarness({ limits: { maxInFlight: 2 } });
    for (const id of [1, 2, 3]) h.client(call(id, 'read'));
    await h.settle();
    expect(h.toUpstream).toHaveLength(2);
    expect(h.answer(3)).toHaveProperty('error.data.code', 'request.too_large');
  });

  it('name their parent execution to the presenter', async () => {
    const h = await readyHarness();
    h.client(call(1, 'read', {}, { _meta: { 'writ/parent': 'execution-0', progressToken: 1 } }));
    await h.settle();
    expect(h.governor.runs[0]?.action.presentation).toMatchObject({ aat_pop: 'proof of execution-0' });
  });

  it('learn their receipt only when they ask, and then in _meta', async () => {
    const h = await readyHarness();
    h.client(call(1, 'read', {}, { _meta: { 'writ/receipt': true } }));
    await h.settle();
    h.upstream({ jsonrpc: '2.0', id: 1, result: { content: [], _meta: { a: 1 } } });
    expect(h.answer(1)).toHaveProperty('result._meta', { a: 1, 'writ/receipt': 'execution-1' });
  });

  it('never carry the key, and the presenter that fails denies', async () => {
    const h = await readyHarness({
      presenter: {
        grants: () => true,
        present() {
          throw new Error('secret');
        },
      },
    });
    h.client(call(1, 'read'));
    await h.settle();
    expect(h.toUpstream).toEqual([]);
    expect(h.answer(1)).toHaveProperty('error.data.code', 'internal.unexpected');
    expect(h.toClient.join() + h.events.join()).not.toContain('secret');
  });

  it('are denied when the governor itself fails', async () => {
    const h = await readyHarness({
      decide() {
        throw new Error('secret');
      },
    });
    h.client(call(1, 'read'));
    h.client({ jsonrpc: '2.0', id: 2, method: 'x/y' });
    await h.settle();
    expect(h.toUpstream).toEqual([]);
    expect(h.answer(1)).toHaveProperty('error.data.code', 'internal.unexpected');
    expect(h.answer(2)).toHaveProperty('error.data.code', 'internal.unexpected');
    expect(h.toClient.join()).not.toContain('secret');
  });
});

describe('denials', () => {
  it('of what a model can act on are tool results where that is asked for', async () => {
    const h = await readyHarness({
      decide: () => deny('scope.arguments_not_granted', 'path'),
      limits: { denialStyle: 'tool-result' },
    });
    h.client(call(1, 'read'));
    h.client({ jsonrpc: '2.0', id: 2, method: 'resources/read', params: { uri: 'x' } });
    await h.settle();
    expect(h.answer(1)).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: {
        content: [
          {
            type: 'text',
            text: 'Denied by Writ: The artifact does not grant these arguments. (scope.arguments_not_granted, receipt execution-1)',
          },
        ],
        isError: true,
        _meta: { 'writ/code': 'scope.arguments_not_granted', 'writ/receipt': 'execution-1' },
      },
    });
    expect(h.answer(2)).toHaveProperty('error.code', -32003);
  });

  it('of anything else are errors in either style', async () => {
    const h = await readyHarness({ decide: denyAll, limits: { denialStyle: 'tool-result' } });
    h.client(call(1, 'read'));
    await h.settle();
    expect(h.answer(1)).toHaveProperty('error.data.code', 'scope.tool_not_granted');
  });

  it('never repeat the detail', async () => {
    const h = await readyHarness({ decide: () => deny('policy.forbidden', 'detail-for-the-receipt') });
    h.client(call(1, 'read'));
    await h.settle();
    expect(h.toClient.join()).not.toContain('detail-for-the-receipt');
  });
});

describe('cancellations', () => {
  const cancel = (requestId: number) => ({
    jsonrpc: '2.0',
    method: 'notifications/cancelled',
    params: { requestId, reason: 'no' },
  });

  it('of a forwarded call reach the upstream; how it ends is recorded, and nobody hears it', async () => {
    const h = await readyHarness();
    h.client(call(1, 'read'));
    await h.settle();
    h.client(cancel(1));
    h.client(cancel(1));
    await h.settle();
    expect(h.toUpstream.map(parseObject)).toEqual([call(1, 'read'), cancel(1)]);
    expect(h.governor.runs[0]?.end).toBeUndefined();
    h.upstream(result(1, 'too late'));
    await h.settle();
    expect(h.governor.runs[0]?.end).toMatchObject({ status: 'succeeded', note: 'cancelled by the client' });
    expect(h.governor.runs[0]?.end?.evidence).toContain('too late');
    expect(h.toClient).toEqual([]);
  });

  it('leave a call unknown whose upstream says nothing more, and its place taken meanwhile', async () => {
    const h = await readyHarness({ limits: { maxInFlight: 2 } });
    for (const id of [1, 2]) {
      h.client(call(id, 'read'));
      await h.settle();
      h.client(cancel(id));
    }
    h.client(call(3, 'read'));
    expect(h.answer(3)).toHaveProperty('error.data.code', 'request.too_large');
    h.session.upstreamFailed(FAULTS.exited);
    await h.settle();
    expect(h.governor.runs.map(({ end }) => end)).toEqual(
      [1, 2].map(() => ({ status: 'unknown', note: 'cancelled by the client' })),
    );
    expect(h.toClient).toHaveLength(1);
  });

  it('of a call that is being decided abort it: it is never forwarded', async () => {
    let decideNow: () => void = () => {};
    const decided = new Promise<void>((resolve) => {
      decideNow = resolve;
    });
    const h = await readyHarness({ decide: () => decided.then(() => undefined) });
    h.client(call(1, 'read'));
    await h.settle();
    h.client(cancel(1));
    decideNow();
    await h.settle();
    expect(h.toUpstream).toEqual([]);
    expect(h.toClient).toEqual([]);
    expect(h.governor.runs[0]?.end).toEqual({ status: 'failed', note: 'cancelled before it was forwarded' });
    expect(h.session.isQuiet).toBe(true);
  });

  it('of what is not in flight, or of the handshake, are dropped', async () => {
    const h = await readyHarness();
    h.client({ jsonrpc: '2.0', id: 9, method: 'initialize', params: {} });
    h.toUpstream.length = 0;
    h.client(cancel(5));
    h.client(cancel(9));
    h.client({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: {} } });
    expect(h.toUpstream).toEqual([]);
  });

  it('keep the id taken until the late answer, which is dropped', async () => {
    const h = await readyHarness();
    h.client(call(1, 'read'));
    await h.settle();
    h.client(cancel(1));
    h.client(call(1, 'write'));
    await h.settle();
    expect(h.toUpstream).toHaveLength(2);
    expect(h.answer(1)).toHaveProperty('error.code', -32600);
    h.toClient.length = 0;
    h.upstream(result(1, 'late'));
    expect(h.toClient).toEqual([]);
    h.client(call(1, 'write'));
    await h.settle();
    expect(h.toUpstream).toHaveLength(3);
  });
});

describe('notifications from the client', () => {
  it('pass when known and are dropped otherwise', async () => {
    const h = await readyHarness();
    h.client({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' });
    h.client({ jsonrpc: '2.0', method: 'notifications/evil' });
    h.client({ jsonrpc: '2.0', method: 'tools/call', params: { name: 'write' } });
    h.client({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } });
    await h.settle();
    expect(h.toUpstream.map((line) => parseObject(line).method)).toEqual([
      'notifications/roots/list_changed',
    ]);
    expect(h.governor.runs).toEqual([]);
  });
});

describe('an execution whose authority ends', () => {
  it('is cancelled upstream and its caller hears why', async () => {
    const h = await readyHarness();
    h.client(call(1, 'read'));
    await h.settle();
    h.governor.runs[0]?.abort.abort(deny('revocation.revoked', 'token'));
    await h.settle();
    expect(h.toUpstream.map(parseObject).at(-1)).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 1 },
    });
    expect(h.answer(1)).toHaveProperty('error.data', {
      code: 'revocation.revoked',
      receipt: 'execution-1',
      effect: 'unknown',
    });
    expect(h.governor.runs[0]?.end).toMatchObject({ status: 'unknown' });
    h.upstream(result(1));
    expect(h.toClient).toHaveLength(1);
  });

  describe('is answered within the grace, or its upstream is killed', () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    });
    afterEach(() => {
      vi.useRealTimers();
    });
    const stopped = async (more: HarnessOptions = {}, cancelFirst = false) => {
      const killUpstream = vi.fn();
      const h = await readyHarness({ killUpstream, ...more });
      h.client(call(1, 'read'));
      await h.settle();
      if (cancelFirst) {
        h.client({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
      }
      h.governor.runs[0]?.abort.abort(deny('revocation.revoked', 'token'));
      await h.settle();
      return { h, killUpstream };
    };

    it('and not before', async () => {
      const { killUpstream } = await stopped();
      vi.advanceTimersByTime(4999);
      expect(killUpstream).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(killUpstream).toHaveBeenCalledOnce();
    });

    it('unless it answers, or is gone, or is trusted to heed the cancellation', async () => {
      const answers = await stopped();
      answers.h.upstream(result(1));
      const gone = await stopped();
      gone.h.session.upstreamFailed(FAULTS.exited);
      const trusted = await stopped({ limits: { killGraceMs: Number.POSITIVE_INFINITY } });
      vi.advanceTimersByTime(3_600_000);
      for (const { killUpstream } of [answers, gone, trusted]) expect(killUpstream).not.toHaveBeenCalled();
    });

    it('also where the client had cancelled it before: that takes nothing out of sight', async () => {
      const { h, killUpstream } = await stopped({}, true);
      expect(h.toUpstream.filter((line) => line.includes('notifications/cancelled'))).toHaveLength(1);
      expect(h.toClient).toEqual([]);
      vi.advanceTimersByTime(5000);
      expect(killUpstream).toHaveBeenCalledOnce();
    });
  });
});
