import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../codec/index.ts';
import { call, NOT_GRANTED } from '../session.test-support.ts';
import {
  type EndpointHarness,
  type HarnessOptions,
  MODERN_META,
  modernCall,
  modernHeaders,
  startEndpoint,
} from './endpoint.test-support.ts';

const ALICE = 'alice-alice-alice-alice-alice';
const MALLORY = 'mallory-mallory-mallory-mallory';
const CALL_ECHO = modernHeaders('tools/call', 'echo');

let running: EndpointHarness | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});
async function start(options?: HarnessOptions): Promise<EndpointHarness> {
  running = await startEndpoint(options);
  return running;
}

describe('a request of the newer era', () => {
  it('is decided and forwarded with nothing but its id changed, which the answer has again', async () => {
    const h = await start();
    const body = `{ "params": {"arguments":{"big":1.10,"id":"x"}, "name":"echo","_meta":${JSON.stringify(MODERN_META)}},\n "id":"seven", "jsonrpc":"2.0","method":"tools/call"}`;
    const reply = await h.post(body, CALL_ECHO);
    expect(reply.status).toBe(200);
    expect(reply.json).toMatchObject({
      id: 'seven',
      result: { content: [{ text: '{"big":1.1,"id":"x"}' }] },
    });
    const [line] = h.upstreams[0]?.lines.filter((text) => text.includes('tools/call')) ?? [];
    expect(line).toBe(`${body.replace('\n', ' ').replace('"seven"', '1')}\n`);
    expect(h.governor.runsOf('mcp://fs/tools/echo')).toHaveLength(1);
  });

  it('that is denied does not reach the upstream', async () => {
    const h = await start({ decide: () => NOT_GRANTED });
    const reply = await h.post(modernCall(1, 'echo'), CALL_ECHO);
    expect(reply.json).toMatchObject({ id: 1, error: { data: { code: 'scope.tool_not_granted' } } });
    expect(h.calls()).toEqual([]);
  });

  it('is cancelled when its client goes away, and only then', async () => {
    const h = await start({
      answer: ({ method, id = null }) =>
        method === 'tools/list' ? { jsonrpc: '2.0', id, result: { tools: [] } } : undefined,
    });
    const socket = connect(h.port, '127.0.0.1');
    const body = JSON.stringify(modernCall('gone', 'echo'));
    const head = Object.entries({ ...CALL_ECHO, 'content-type': 'application/json', accept: '*/*' })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
    socket.write(
      `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:${h.port}\r\n${head}content-length: ${body.length}\r\n\r\n${body}`,
    );
    await until(() => h.calls().length === 1);
    socket.destroy();
    const [upstream] = h.upstreams;
    await until(() => upstream?.received.at(-1)?.method === 'notifications/cancelled');
    // What came of it all the same is recorded.
    upstream?.say({ jsonrpc: '2.0', id: h.calls()[0]?.id ?? null, result: { content: [] } });
    await until(() => h.governor.runs[0]?.end !== undefined);
  });

  it('two clients that use the same id and progress token each hear of their own', async () => {
    const h = await start({
      answer: (message, upstream) => {
        const { id = null, method, params } = message;
        if (method === 'tools/list') return { jsonrpc: '2.0', id, result: { tools: [] } };
        if (method !== 'tools/call') return undefined;
        const { arguments: args, _meta: meta } = params as { arguments: JsonObject; _meta: JsonObject };
        const { progressToken = null } = meta;
        const progress = { progressToken, progress: 1, message: args.who ?? null };
        upstream.say({ jsonrpc: '2.0', method: 'notifications/progress', params: progress });
        return { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: String(args.who) }] } };
      },
    });
    const ask = (who: string) => {
      const params = { name: 'echo', arguments: { who }, _meta: { ...MODERN_META, progressToken: 'p' } };
      return h.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }, CALL_ECHO);
    };
    const replies = await Promise.all([ask('alice'), ask('bob')]);
    for (const [index, who] of ['alice', 'bob'].entries()) {
      const events = dataOf(replies[index]?.text ?? '');
      expect(events).toMatchObject([
        { params: { progressToken: 'p', message: who } },
        { id: 1, result: { content: [{ text: who }] } },
      ]);
    }
  });

  it('a log message that could be of two callers reaches neither', async () => {
    const h = await start({
      answer: ({ method, id = null }) =>
        method === 'tools/list' ? { jsonrpc: '2.0', id, result: { tools: [] } } : undefined,
    });
    const logged = { ...MODERN_META, 'io.modelcontextprotocol/logLevel': 'info' };
    const params = { name: 'echo', arguments: {}, _meta: logged };
    const both = [1, 2].map((id) => h.post({ jsonrpc: '2.0', id, method: 'tools/call', params }, CALL_ECHO));
    await until(() => h.calls().length === 2);
    h.upstreams[0]?.say({
      jsonrpc: '2.0',
      method: 'notifications/message',
      params: { level: 'info', data: 'secret' },
    });
    for (const { id = null } of h.calls())
      h.upstreams[0]?.say({ jsonrpc: '2.0', id, result: { content: [] } });
    for (const reply of await Promise.all(both)) expect(reply.text).not.toContain('secret');
  });
});

describe('a message that tells two stories goes nowhere', () => {
  it.each([
    ['another method', { ...CALL_ECHO, 'mcp-method': 'tools/list' }, 400, -32020],
    ['another name', { ...CALL_ECHO, 'mcp-name': 'harmless' }, 400, -32020],
    ['another case', { ...CALL_ECHO, 'mcp-name': 'Echo' }, 400, -32020],
    ['a name that is encoded in two ways', { ...CALL_ECHO, 'mcp-name': '=?base64?ZWNobx==?=' }, 400, -32020],
    ['no name', modernHeaders('tools/call'), 400, -32020],
    ['no method', { 'mcp-protocol-version': '2026-07-28', 'mcp-name': 'echo' }, 400, -32020],
    ['another version', { ...CALL_ECHO, 'mcp-protocol-version': '2025-11-25' }, 400, -32020],
    ['no version', { 'mcp-method': 'tools/call', 'mcp-name': 'echo' }, 400, -32020],
  ])('%s in the headers', async (_what, headers, status, code) => {
    const h = await start();
    const reply = await h.post(modernCall(1, 'echo'), headers);
    expect(reply).toMatchObject({ status, json: { id: 1, error: { code } } });
    expect([h.upstreams, h.governor.runs]).toEqual([[], []]);
  });

  it('a name in base64 is read', async () => {
    const h = await start();
    const reply = await h.post(modernCall(1, 'echo'), { ...CALL_ECHO, 'mcp-name': '=?base64?ZWNobw==?=' });
    expect(reply.json).toHaveProperty('result');
  });

  it('headers of the newer era that are wrong on a message of the older', async () => {
    const h = await start();
    const session = await h.initialize();
    const reply = await h.post(call(1, 'echo'), { 'mcp-session-id': session, 'mcp-name': 'harmless' });
    expect(reply.status).toBe(400);
    expect(h.calls()).toEqual([]);
  });

  it.each([
    [
      'duplicate members',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"rm"}}',
    ],
    ['a batch', JSON.stringify([call(1, 'echo'), call(2, 'echo')])],
    [
      'an alias of a member',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"rm"}}',
    ],
    ['no JSON', '{"jsonrpc":'],
    ['no UTF-8', '{"jsonrpc":"2.0","id":1,"method":"ping\u0000'],
  ])('%s in the body', async (_what, body) => {
    const h = await start();
    const session = await h.initialize();
    const reply = await h.post(body, { 'mcp-session-id': session });
    expect(reply.status).toBe(400);
    expect([h.calls(), h.governor.runs]).toEqual([[], []]);
  });

  it('a message inside a message, on a line of its own, stays an argument', async () => {
    const h = await start({ decide: ({ args }) => ('x' in args ? undefined : NOT_GRANTED) });
    const session = await h.initialize();
    const inner = JSON.stringify(call(9, 'rm'));
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"x":\n${inner}\n}}}`;
    await h.post(body, { 'mcp-session-id': session });
    const lines = h.upstreams[0]?.lines ?? [];
    expect(lines.filter((line) => line.includes('rm'))).toHaveLength(1);
    expect(lines.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true);
  });
});

describe('who may talk to it', () => {
  it.each([
    [{ host: 'evil.example' }],
    [{ host: '127.0.0.1' }],
    [{ origin: 'http://evil.example' }],
    [{ origin: 'null' }],
    [{ origin: 'http://127.0.0.1:1' }],
  ])('not a page that DNS or a redirect led here: %j', async (headers) => {
    const h = await start();
    expect((await h.post(modernCall(1, 'echo'), { ...CALL_ECHO, ...headers })).status).toBe(403);
    expect([h.upstreams, h.governor.runs]).toEqual([[], []]);
  });

  it.each([{ origin: 'https://app.example' }, {}])(
    'a page that was allowed, or no page: %j',
    async (headers) => {
      const h = await start();
      expect((await h.post(modernCall(1, 'echo'), { ...CALL_ECHO, ...headers })).status).toBe(200);
    },
  );

  it('a browser is told which pages may read the answer, and of what else nothing', async () => {
    const h = await start({ tokens: [ALICE] });
    const allowed = await h.send('OPTIONS', undefined, { origin: 'https://app.example' });
    expect(allowed.status).toBe(204);
    expect(allowed.headers).toMatchObject({ 'access-control-allow-origin': 'https://app.example' });
    const own = await h.send('OPTIONS', undefined, { origin: `http://127.0.0.1:${h.port}` });
    expect(own.headers).not.toHaveProperty('access-control-allow-origin');
    const other = await h.send('OPTIONS', undefined, { origin: 'https://evil.example' });
    expect(other.status).toBe(403);
    expect(other.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('only with a token, where tokens are set; it says where to get one, and tells the token to nobody', async () => {
    const h = await start({ tokens: [ALICE] });
    const refused = await h.post(modernCall(1, 'echo'), { ...CALL_ECHO, authorization: `Bearer ${MALLORY}` });
    expect(refused.status).toBe(401);
    const challenge = String(refused.headers['www-authenticate']);
    const url = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? '';
    const metadata = (await (await fetch(url)).json()) as JsonObject;
    expect(metadata).toMatchObject({
      resource: `http://127.0.0.1:${h.port}/mcp`,
      authorization_servers: ['https://as.example'],
      bearer_methods_supported: ['header'],
    });
    expect(h.upstreams).toEqual([]);
    const taken = await h.post(modernCall(1, 'echo'), { ...CALL_ECHO, authorization: `Bearer ${ALICE}` });
    expect(taken.status).toBe(200);
    expect(h.upstreams[0]?.lines.join('')).not.toContain(ALICE);
  });

  it('a session is not there for another token, whoever knows its id', async () => {
    const h = await start({ tokens: [ALICE, MALLORY] });
    const session = await h.initialize({ authorization: `Bearer ${ALICE}` });
    const stolen = { authorization: `Bearer ${MALLORY}`, 'mcp-session-id': session };
    expect((await h.post(call(1, 'echo'), stolen)).status).toBe(404);
    expect((await h.send('GET', undefined, { ...stolen, accept: 'text/event-stream' })).status).toBe(404);
    expect((await h.send('DELETE', undefined, stolen)).status).toBe(404);
    expect(h.calls()).toEqual([]);
    const own = { authorization: `Bearer ${ALICE}`, 'mcp-session-id': session };
    expect((await h.post(call(1, 'echo'), own)).json).toHaveProperty('result');
  });
});

describe('a session of the older era', () => {
  it('has an upstream of its own, which ends with it', async () => {
    const h = await start();
    const [first, second] = [await h.initialize(), await h.initialize()];
    await h.post(call(1, 'echo', { a: 1 }), { 'mcp-session-id': first });
    expect(h.upstreams.map(({ received }) => received.some(({ method }) => method === 'tools/call'))).toEqual(
      [true, false],
    );
    expect((await h.send('DELETE', undefined, { 'mcp-session-id': first })).status).toBe(204);
    await until(() => h.upstreams[0]?.stopped === true);
    expect((await h.post(call(2, 'echo'), { 'mcp-session-id': first })).status).toBe(404);
    expect((await h.post(call(2, 'echo'), { 'mcp-session-id': second })).status).toBe(200);
  });

  it('is not begun where its upstream does not begin', async () => {
    const h = await start({
      answer: ({ id = null }) => ({ jsonrpc: '2.0', id, error: { code: -1, message: 'no' } }),
    });
    const reply = await h.post({ jsonrpc: '2.0', id: 1, method: 'initialize', params: {} });
    expect(reply.headers).not.toHaveProperty('mcp-session-id');
    expect(h.endpoint.sessionCount).toBe(0);
  });

  it('a stream that broke goes on from the last event, on no other stream', async () => {
    const h = await start({
      limits: { streamAfterMs: 1 },
      answer: ({ method, id = null, params }) =>
        method === 'tools/call' && JSON.stringify(params).includes('slow')
          ? undefined
          : method === 'tools/list'
            ? { jsonrpc: '2.0', id, result: { tools: [] } }
            : { jsonrpc: '2.0', id, result: { protocolVersion: '2025-11-25', capabilities: {} } },
    });
    const session = await h.initialize();
    const abort = new AbortController();
    const response = await fetch(`http://127.0.0.1:${h.port}/mcp`, {
      method: 'POST',
      body: JSON.stringify(call(1, 'echo', { slow: true }, { _meta: { progressToken: 5 } })),
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': session,
      },
      signal: abort.signal,
    });
    const { value } = (await response.body?.getReader().read()) ?? {};
    const lastEventId = /^id: (\S+)/.exec(Buffer.from(value ?? []).toString())?.[1] ?? '';
    abort.abort();
    await until(() => h.calls().length === 1);
    const [upstream] = h.upstreams;
    upstream?.say({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: 5, progress: 1 },
    });
    upstream?.say({ jsonrpc: '2.0', id: 1, result: { content: [] } });
    await until(() => h.governor.runs[0]?.end !== undefined);
    // Not cancelled: what happened while nobody listened is there.
    expect(h.governor.runs[0]?.end).toMatchObject({ status: 'succeeded' });
    const resumed = await h.send('GET', undefined, {
      accept: 'text/event-stream',
      'mcp-session-id': session,
      'last-event-id': lastEventId,
    });
    expect(dataOf(resumed.text)).toMatchObject([{ params: { progress: 1 } }, { id: 1, result: {} }]);
    const nowhere = { accept: 'text/event-stream', 'mcp-session-id': session, 'last-event-id': '99-1' };
    expect((await h.send('GET', undefined, nowhere)).status).toBe(400);
  });

  it('a request that is cancelled is let go, and the session is idle again', async () => {
    const h = await start({
      limits: { sessionIdleMs: 0 },
      answer: ({ method, id = null }) =>
        method === 'tools/call'
          ? undefined
          : { jsonrpc: '2.0', id, result: { protocolVersion: '2025-11-25', tools: [] } },
    });
    const session = { 'mcp-session-id': await h.initialize() };
    const called = h.post(call(1, 'echo'), session);
    await until(() => h.calls().length === 1);
    h.endpoint.sweep();
    expect(h.endpoint.sessionCount).toBe(1);
    await h.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }, session);
    expect((await called).status).toBeLessThan(300);
    expect(h.upstreams[0]?.received.at(-1)).toMatchObject({ method: 'notifications/cancelled' });
    h.endpoint.sweep();
    expect(h.endpoint.sessionCount).toBe(0);
  });

  it('an id that is in flight is not taken twice', async () => {
    const h = await start({
      answer: ({ method, id = null }) =>
        method === 'tools/call'
          ? undefined
          : { jsonrpc: '2.0', id, result: { protocolVersion: '2025-11-25', tools: [] } },
    });
    const session = await h.initialize();
    const first = h.post(call(1, 'echo'), { 'mcp-session-id': session });
    await until(() => h.calls().length === 1);
    expect((await h.post(call(1, 'echo'), { 'mcp-session-id': session })).status).toBe(400);
    h.upstreams[0]?.say({ jsonrpc: '2.0', id: 1, result: { content: [] } });
    expect((await first).json).toHaveProperty('result');
    expect(h.calls()).toHaveLength(1);
  });
});

describe('bounds', () => {
  it('a body that is too long is refused, whether it says so or not', async () => {
    const h = await start({ limits: { maxBodyBytes: 1000 } });
    const long = JSON.stringify(modernCall(1, 'echo', { a: 'x'.repeat(2000) }));
    expect((await h.post(long, CALL_ECHO)).status).toBe(413);
    const chunked = { ...CALL_ECHO, 'transfer-encoding': 'chunked' };
    expect((await h.post(long, chunked)).status).toBe(413);
    expect(h.upstreams).toEqual([]);
  });

  it('a request that never comes to its end is dropped', async () => {
    const h = await start({ limits: { requestTimeoutMs: 50 } });
    const socket = connect(h.port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.write(`POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:${h.port}\r\ncontent-length: 100\r\n\r\n{`);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(answer).toContain('408');
    expect(h.upstreams).toEqual([]);
  });

  it('sessions are bounded, and end when nobody uses them', async () => {
    const h = await start({ limits: { maxSessions: 100, sessionIdleMs: -1 } });
    const sessions = await Promise.all(Array.from({ length: 100 }, () => h.initialize()));
    expect(new Set(sessions).size).toBe(100);
    const params = { protocolVersion: '2025-11-25' };
    const refused = await h.post({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
    expect(refused.status).toBe(503);
    expect(h.upstreams).toHaveLength(100);
    const replies = await Promise.all(
      sessions.map((session, index) => h.post(call(1, 'echo', { index }), { 'mcp-session-id': session })),
    );
    expect(replies.map(({ json }) => JSON.stringify(json).includes('result'))).not.toContain(false);
    h.endpoint.sweep();
    expect(h.endpoint.sessionCount).toBe(0);
    await until(() => h.upstreams.every(({ stopped }) => stopped));
  });
});

function dataOf(text: string): JsonObject[] {
  return [...text.matchAll(/^data: (.+)$/gm)].map(([, data = '']) => JSON.parse(data) as JsonObject);
}

/** Turns of the event loop until it holds: what is waited for comes from this process. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
