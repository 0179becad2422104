import { PassThrough } from 'node:stream';
import { afterEach, expect, it } from 'vitest';
import { createPresenter, mintRoot } from '../../../artifact/index.ts';
import type { JsonObject } from '../../../codec/index.ts';
import { isDenial } from '../../../denial/index.ts';
import { SigningKey } from '../../../key/index.ts';
import { call, lineOf, parseObject } from '../session.test-support.ts';
import { runConnector } from './connector.ts';
import {
  type EndpointHarness,
  MODERN_META,
  modernCall,
  modernHeaders,
  startEndpoint,
} from './endpoint.test-support.ts';
import { httpLink } from './http-link.ts';

const CALL_ECHO = modernHeaders('tools/call', 'echo');
const KEY = SigningKey.generate();
const CHAIN = chainFor('mcp://fs/tools/echo');

let running: EndpointHarness | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});
async function start(stands = true, names?: string[]): Promise<EndpointHarness> {
  running = await startEndpoint({ presentations: { stands: () => stands }, ...(names && { names }) });
  return running;
}

function chainFor(...tools: string[]): string[] {
  const root = mintRoot({
    issuer: { iss: 'spiffe://test.local/issuer', signer: SigningKey.generate() },
    holder: KEY.publicKey,
    tools: Object.fromEntries(tools.map((tool) => [tool, {}])),
    iatSeconds: 1_700_000_000,
    expSeconds: 1_700_003_600,
    maxDepth: 0,
    audiences: ['spiffe://test.local/gateway'],
    writ: { initiator: { id: 'spiffe://test.local/agent', kind: 'agent' } },
  });
  if (isDenial(root)) throw new Error(root.detail);
  return [root];
}

function bringing(presentation: unknown): JsonObject {
  const params = {
    name: 'echo',
    arguments: {},
    _meta: { ...MODERN_META, 'writ/presentation': presentation },
  };
  return JSON.parse(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })) as JsonObject;
}

it('what a call brings is what it is decided by, and does not reach the server', async () => {
  const h = await start();
  const presentation = { aat_chain: CHAIN, aat_pop: 'proof' };
  expect((await h.post(bringing(presentation), CALL_ECHO)).json).toHaveProperty('result');
  expect(h.governor.runs[0]?.action.presentation).toEqual(presentation);
  const expected = modernCall(1, 'echo');
  expect(h.calls()).toEqual([expected]);
  expect(h.upstreams[0]?.lines.join('')).not.toContain('presentation');
});

it.each([
  ['nothing', undefined, 'artifact.missing'],
  ['no object', 'chain', 'artifact.malformed'],
  ['an empty chain', { aat_chain: [], aat_pop: 'p' }, 'artifact.malformed'],
  ['something that is no token', { aat_chain: [1], aat_pop: 'p' }, 'artifact.malformed'],
  ['more than a presentation', { aat_chain: ['c'], aat_pop: 'p', trust: true }, 'artifact.malformed'],
  ['no proof', { aat_chain: ['c'] }, 'identity.proof_missing'],
])('a call that brings %s is denied, and recorded', async (_what, presentation, code) => {
  const h = await start();
  expect((await h.post(bringing(presentation), CALL_ECHO)).json).toMatchObject({ error: { data: { code } } });
  expect(h.calls()).toEqual([]);
  expect(h.governor.runs[0]?.denial).toMatchObject({ code });
});

it('a presentation is good for the request that brought it only', async () => {
  const h = await start();
  await h.post(bringing({ aat_chain: CHAIN, aat_pop: 'proof' }), CALL_ECHO);
  expect((await h.post(modernCall(1, 'echo'), CALL_ECHO)).json).toMatchObject({
    error: { data: { code: 'artifact.missing' } },
  });
  expect(h.calls()).toHaveLength(1);
});

it.each([
  [true, ['echo']],
  [false, []],
])('a list shows what a chain that stands (%s) grants', async (stands, names) => {
  const h = await start(stands);
  const params = { _meta: { ...MODERN_META, 'writ/presentation': { aat_chain: CHAIN } } };
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params };
  const { json } = await h.post(list, modernHeaders('tools/list'));
  const { tools } = json.result as { tools: { name: string }[] };
  expect(tools.map(({ name }) => name)).toEqual(names);
});

it.each([
  ['one server', ['fs'], 'echo', 'mcp://fs/tools/echo', 'fs'],
  ['several servers', ['fs', 'mem'], 'mem__echo', 'mcp://mem/tools/echo', undefined],
])('beside the agent, calls to %s are presented one by one', async (_what, names, tool, id, server) => {
  const h = await start(true, names);
  const chain = chainFor(id);
  const presenter = createPresenter({ chain, signer: KEY, audience: 'spiffe://test.local/gateway' });
  if (isDenial(presenter)) throw new Error(presenter.detail);
  const [input, output] = [new PassThrough(), new PassThrough()];
  const received: JsonObject[] = [];
  const arrived = new Set<() => void>();
  output.on('data', (chunk: Buffer) => {
    received.push(...chunk.toString().trim().split('\n').map(parseObject));
    for (const look of arrived) look();
  });
  const answer = (wanted: string) =>
    new Promise<JsonObject>((resolve) => {
      const look = (): void => {
        const found = received.find((message) => message.id === wanted);
        if (found !== undefined) resolve(found);
      };
      arrived.add(look);
      look();
    });
  const ended = runConnector({
    client: { input, output },
    open: httpLink({ url: new URL(`http://127.0.0.1:${h.port}/mcp`), maxMessageBytes: 1_000_000 }),
    presenter,
    chain,
    server,
    diagnose: () => {},
    maxMessageBytes: 1_000_000,
  });
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  input.write(lineOf({ jsonrpc: '2.0', id: 'init', method: 'initialize', params }));
  await answer('init');
  input.write(lineOf({ jsonrpc: '2.0', method: 'notifications/initialized' }));
  input.write(lineOf(call('a', tool, { x: 1 }, { _meta: { 'writ/parent': 'parent-1' } })));
  expect(await answer('a')).toHaveProperty('result');
  input.end();
  expect(await ended).toBe('client_closed');
  const [run] = h.governor.runs;
  expect(run?.action).toMatchObject({ tool: id, args: { x: 1 }, presentation: { aat_chain: chain } });
  expect(h.calls()).toMatchObject([{ params: { name: 'echo', _meta: { 'writ/parent': 'parent-1' } } }]);
  expect(h.upstreams.flatMap(({ lines }) => lines).join('')).not.toContain('aat_');
});
