import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { JsonObject } from '../../../codec/index.ts';
import { FAULTS } from '../answer.ts';
import { fakeGovernor, fakePresenter, lineOf, parseObject } from '../session.test-support.ts';
import type { Channel } from './channel.ts';
import { modernCall } from './endpoint.test-support.ts';
import { governedUpstream } from './governed-upstream.ts';
import { httpLink } from './http-link.ts';

interface Seen {
  readonly method: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: JsonObject;
}

const servers: Server[] = [];
let channel: Channel | undefined;
afterEach(async () => {
  await channel?.close();
  channel = undefined;
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(
  respond: (seen: Seen, response: ServerResponse) => void,
): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const text = Buffer.concat(chunks).toString();
    const { method = '', headers } = request;
    const one = { method, headers, body: text === '' ? {} : parseObject(text) };
    seen.push(one);
    respond(one, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, seen };
}

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** Lists no tools, and answers calls as `call` says. */
function answering(call: (seen: Seen, response: ServerResponse) => void) {
  return (seen: Seen, response: ServerResponse): void => {
    const { id, method } = seen.body;
    if (method === 'tools/call') call(seen, response);
    else if (method === 'tools/list') json(response, { jsonrpc: '2.0', id, result: { tools: [] } });
    else json(response, { jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }, 404);
  };
}

function open(url: string, authorization?: string) {
  const governor = fakeGovernor();
  const received: JsonObject[] = [];
  let arrived: () => void = () => {};
  const link = httpLink({
    url: new URL(url),
    maxMessageBytes: 1000,
    ...(authorization && { authorization: () => authorization }),
  });
  const options = { name: 'fs', openLink: link, governor, presenter: fakePresenter(), diagnose: () => {} };
  const opened = governedUpstream(options)({
    toClient: (line) => {
      received.push(parseObject(line.toString()));
      arrived();
    },
    onGone: () => {},
  });
  channel = opened;
  const answer = (id: number) =>
    new Promise<JsonObject>((resolve) => {
      arrived = () => {
        const found = received.find((message) => message.id === id);
        if (found !== undefined) resolve(found);
      };
      arrived();
    });
  return { channel: opened, governor, answer };
}

it('what goes up is the line that was decided on, and headers made from it', async () => {
  const upstream = await serve(
    answering(({ body }, response) =>
      json(response, { jsonrpc: '2.0', id: body.id, result: { content: [] } }),
    ),
  );
  const { channel: opened, answer } = open(upstream.url, 'Bearer of-the-upstream');
  opened.receive(lineOf(modernCall(1, 'écho')));
  expect(await answer(1)).toHaveProperty('result');
  const call = upstream.seen.find(({ body }) => body.method === 'tools/call');
  expect(call?.body).toEqual(modernCall(1, 'écho'));
  expect(call?.headers).toMatchObject({
    authorization: 'Bearer of-the-upstream',
    'mcp-method': 'tools/call',
    'mcp-name': `=?base64?${Buffer.from('écho').toString('base64')}?=`,
    'mcp-protocol-version': '2026-07-28',
  });
});

it.each([301, 302, 303, 307, 308])('a redirect (%i) leads nowhere', async (status) => {
  const inside = await serve((_seen, response) => json(response, {}));
  const upstream = await serve((_seen, response) => {
    response.writeHead(status, { location: inside.url });
    response.end();
  });
  const { channel: opened, answer, governor } = open(upstream.url, 'Bearer of-the-upstream');
  opened.receive(lineOf({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'test://a' } }));
  expect(await answer(1)).toMatchObject({ error: { data: { effect: 'unknown' } } });
  expect(inside.seen).toEqual([]);
  expect(governor.runs[0]?.end).toMatchObject({ status: 'unknown' });
});

it.each([
  ['an answer to something else', { jsonrpc: '2.0', id: 99, result: { content: [] } }, FAULTS.silent],
  ['more than is allowed', { jsonrpc: '2.0', id: 1, result: { text: 'x'.repeat(2000) } }, FAULTS.oversized],
])('%s is no answer', async (_what, body, fault) => {
  const upstream = await serve(answering((_seen, response) => json(response, body)));
  const { channel: opened, answer, governor } = open(upstream.url);
  opened.receive(lineOf(modernCall(1, 'echo')));
  expect(await answer(1)).toMatchObject({ error: { message: fault.message } });
  expect(governor.runs[0]?.end).toMatchObject({ status: 'unknown', note: fault.note });
});

it('a server that is not there is told as such, with the effect unknown', async () => {
  const upstream = await serve(() => {});
  const { channel: opened, answer } = open(upstream.url.replace(/:\d+/, ':1'));
  opened.receive(lineOf({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'test://a' } }));
  expect(await answer(1)).toMatchObject({ error: { message: FAULTS.unreachable.message } });
});

it('a call that is cancelled closes its stream', async () => {
  let closed: () => void = () => {};
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  let begun: () => void = () => {};
  const begins = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const upstream = await serve(
    answering((_seen, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': open\n\n');
      response.once('close', closed);
      begun();
    }),
  );
  const { channel: opened, governor } = open(upstream.url);
  opened.receive(lineOf(modernCall(1, 'echo')));
  await begins;
  opened.receive(lineOf({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }));
  await gone;
  while (governor.runs[0]?.end === undefined) await new Promise((resolve) => setImmediate(resolve));
  expect(governor.runs[0]?.end).toMatchObject({ status: 'unknown', note: 'cancelled by the client' });
  expect(upstream.seen.map(({ body }) => body.method)).not.toContain('notifications/cancelled');
});

it('a stream that breaks is read on from its last event, in the older era', async () => {
  const upstream = await serve((seen, response) => {
    const { id, method } = seen.body;
    const head = { 'content-type': 'text/event-stream', 'mcp-session-id': 'one' };
    const result = (value: JsonObject) => JSON.stringify({ jsonrpc: '2.0', id: id ?? 1, result: value });
    if (method === 'initialize') {
      response.writeHead(200, head);
      response.end(`data: ${result({ protocolVersion: '2025-11-25', capabilities: {} })}\n\n`);
    } else if (method === 'resources/read') {
      response.writeHead(200, head);
      response.end('id: s-1\nretry: 1\ndata: \n\n');
    } else if (seen.headers['last-event-id'] === 's-1') {
      response.writeHead(200, head);
      response.end(`id: s-2\r\ndata: ${result({ contents: [] })}\r\n\r\n`);
    } else {
      response.writeHead(405);
      response.end();
    }
  });
  const { channel: opened, answer } = open(upstream.url);
  opened.receive(lineOf({ jsonrpc: '2.0', id: 0, method: 'initialize', params: {} }));
  await answer(0);
  opened.receive(lineOf({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'test://a' } }));
  expect(await answer(1)).toMatchObject({ result: { contents: [] } });
  const read = upstream.seen.find(({ body }) => body.method === 'resources/read');
  expect(read?.headers).toMatchObject({ 'mcp-session-id': 'one', 'mcp-protocol-version': '2025-11-25' });
});
