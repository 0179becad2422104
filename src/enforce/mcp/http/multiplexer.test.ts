import { afterEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../codec/index.ts';
import { call } from '../session.test-support.ts';
import {
  type EndpointHarness,
  type HarnessOptions,
  modernCall,
  modernHeaders,
  startEndpoint,
} from './endpoint.test-support.ts';
import { multiplexer } from './multiplexer.ts';

const NAMES = ['fs', 'mem'];

let running: EndpointHarness | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});
async function start(options: HarnessOptions = {}): Promise<EndpointHarness> {
  running = await startEndpoint({ names: NAMES, answer, ...options });
  return running;
}

function answer(
  { id = null, method, params }: JsonObject,
  { name }: { name: string },
): JsonObject | undefined {
  const result = (value: JsonObject): JsonObject => ({ jsonrpc: '2.0', id, result: value });
  switch (method) {
    case 'initialize':
      return result({
        protocolVersion: '2025-11-25',
        capabilities: { tools: {}, ...(name === 'fs' ? { prompts: {} } : {}) },
      });
    case 'tools/list':
      return result({
        tools: [{ name: 'echo', description: `of ${name}`, inputSchema: { type: 'object' } }],
      });
    case 'resources/list':
      return name === 'fs'
        ? { jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }
        : result({ resources: [{ uri: 'test://a', name: 'a' }] });
    case 'resources/read':
    case 'tools/call':
      return result({ content: [{ type: 'text', text: `${name} ${JSON.stringify(params)}` }] });
    default:
      return undefined;
  }
}

describe('several upstreams behind one endpoint', () => {
  it('are listed one after the other, under their names', async () => {
    const h = await start();
    const session = { 'mcp-session-id': await h.initialize() };
    const first = await h.post({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, session);
    expect(first.json).toMatchObject({
      result: { tools: [{ name: 'fs__echo', description: 'of fs' }], nextCursor: '1' },
    });
    const more = { jsonrpc: '2.0', id: 2, method: 'tools/list', params: { cursor: '1' } };
    const second = await h.post(more, session);
    expect(second.json).toMatchObject({ result: { tools: [{ name: 'mem__echo' }] } });
    expect(second.json).not.toHaveProperty('result.nextCursor');
    const empty = await h.post({ jsonrpc: '2.0', id: 3, method: 'resources/list' }, session);
    expect(empty.json).toMatchObject({ result: { resources: [], nextCursor: '1' } });
  });

  it('each get what is theirs, under its own name, decided as theirs', async () => {
    const h = await start();
    const session = { 'mcp-session-id': await h.initialize() };
    const reply = await h.post(call(1, 'mem__echo', { a: 1 }), session);
    expect(JSON.stringify(reply.json)).toContain('mem {\\"name\\":\\"echo\\"');
    expect(h.governor.runs.map(({ action }) => action.tool)).toEqual(['mcp://mem/tools/echo']);
    const read = { jsonrpc: '2.0', id: 2, method: 'resources/read', params: { uri: 'mem+test://a' } };
    expect(JSON.stringify((await h.post(read, session)).json)).toContain('test://a');
    expect(
      h.upstreams.filter(({ name }) => name === 'fs').flatMap(({ received }) => received),
    ).not.toContainEqual(expect.objectContaining({ method: 'tools/call' }));
  });

  it.each(['echo', '__echo', 'other__echo', 'FS__echo', 'mem_echo'])(
    'a name that is nobody’s goes nowhere: %s',
    async (name) => {
      const h = await start();
      const session = { 'mcp-session-id': await h.initialize() };
      expect((await h.post(call(1, name), session)).json).toMatchObject({ error: { code: -32602 } });
      expect([h.calls(), h.governor.runs]).toEqual([[], []]);
    },
  );

  it('serve the newer era too, and Mcp-Name is the name as clients know it', async () => {
    const h = await start();
    const headers = modernHeaders('tools/call', 'mem__echo');
    const reply = await h.post(modernCall('x', 'mem__echo'), headers);
    expect(reply.json).toMatchObject({ id: 'x', result: {} });
    const wrong = await h.post(modernCall('x', 'mem__echo'), modernHeaders('tools/call', 'echo'));
    expect(wrong.status).toBe(400);
  });

  it('that ask under the same number each get their own answer', async () => {
    const h = await start();
    const session = { 'mcp-session-id': await h.initialize() };
    const listening = h.send('GET', undefined, { ...session, accept: 'text/event-stream' });
    for (const upstream of h.upstreams) {
      upstream.say({ jsonrpc: '2.0', id: 7, method: 'roots/list' });
    }
    await until(() => h.governor.runsOf('mcp://mem/roots/list')[0] !== undefined);
    await until(() => h.governor.runsOf('mcp://fs/roots/list')[0] !== undefined);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    // An id is put into a message: one that is more than an id is none.
    for (const id of ['mem:7,"x":1', 'mem:7\n', 'mem:{}', 'mem:', 'mem:7 ']) {
      const before = h.upstreams.map(({ lines }) => lines.length);
      await h.post({ jsonrpc: '2.0', id: id.replace('7', '8'), result: { roots: [] } }, session);
      expect(h.upstreams.map(({ lines }) => lines.length)).toEqual(before);
    }
    await h.post({ jsonrpc: '2.0', id: 'mem:7', result: { roots: [] } }, session);
    const answered = (name: string) =>
      h.upstreams.find((upstream) => upstream.name === name)?.received.filter(({ id }) => id === 7) ?? [];
    expect([answered('mem').length, answered('fs').length]).toEqual([1, 0]);
    await h.send('DELETE', undefined, session);
    const text = (await listening).text;
    for (const name of NAMES) expect(text).toContain(`"id":"${name}:7"`);
  });

  it('have ids that can be told apart', () => {
    expect(() =>
      multiplexer(
        new Map([
          [
            'a_b',
            () => {
              throw new Error('not opened');
            },
          ],
        ]),
      ),
    ).toThrow(TypeError);
  });
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
