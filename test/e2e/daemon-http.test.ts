import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { writ } from '../../src/cli/run.test-support.ts';
import { type EchoUpstream, startEchoUpstream } from '../support/echo-upstream.ts';
import { codeOf, readyLine, startWrit, writJson } from './cli-program.ts';
import { fixtureServer } from './mcp-support.ts';

const SESSIONS = 100;
const CALLS_EACH = 2;
const PATIENCE = { timeout: 20_000, interval: 50 };

let folder = '';
let far: EchoUpstream;
const running: ChildProcessWithoutNullStreams[] = [];

async function start(
  ...args: readonly string[]
): Promise<{ child: ChildProcessWithoutNullStreams; url: string }> {
  const child = startWrit(folder, '--json', ...args);
  running.push(child);
  const { url } = await readyLine(child);
  return { child, url: String(url) };
}

const serve = (name: string, ...upstreams: readonly string[]) =>
  start(
    ...['mcp', 'serve', '--name', name, '--artifact', 'agent-tools', '--daemon', 'running'],
    ...['--listen', '127.0.0.1:0', ...upstreams.flatMap((upstream) => ['--upstream', upstream])],
  );

async function connect(url: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const transport = new StreamableHTTPClientTransport(new URL(url));
  // Its declaration does not know of exactOptionalPropertyTypes.
  await client.connect(transport as Parameters<Client['connect']>[0]);
  return client;
}

const say = (client: Client, text: string) => client.callTool({ name: 'far__say', arguments: { text } });
const ticksIn = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

async function decisions(...filters: readonly string[]): Promise<readonly unknown[]> {
  const shown = await writJson(folder, 'log', 'show', '--tail', '1000', ...filters);
  return shown.decisions as unknown as readonly unknown[];
}

let daemon: ChildProcessWithoutNullStreams;
let client: Client;
let tools = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writ-serve-'));
  far = await startEchoUpstream();
  const { command, args } = fixtureServer('ticking-server.ts');
  await writJson(folder, 'init', '--server', 'ticks', '--', command, ...args);
  const { digest } = (await writ({ cwd: folder }, '--json', 'mcp', 'changes', 'far', '--url', far.url)).json;
  await writJson(folder, 'mcp', 'changes', 'far', '--url', far.url, '--approve', String(digest));
  await writJson(
    folder,
    ...['artifact', 'issue', '--agent', 'agent', '--out', 'agent-tools'],
    ...['--tool', 'mcp://far/tools/say', '--tool', 'mcp://ticks/tools/tick'],
    ...['--audience', 'tools', '--audience', 'far'],
  );
  ({ child: daemon } = await start('up'));
  tools = (await serve('tools', `far=${far.url}`, 'ticks=stdio')).url;
  client = await connect(tools);
}, 60_000);
afterAll(async () => {
  await client?.close();
  for (const child of running) child.kill('SIGKILL');
  far?.close();
  rmSync(folder, { recursive: true, force: true });
});

it('a gateway over HTTP asks the daemon: servers behind one endpoint, decided on and recorded in its log', async () => {
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['far__say']);
  expect(await say(client, 'hello')).toMatchObject({ content: [{ type: 'text', text: 'said hello' }] });
  expect(await codeOf(client.callTool({ name: 'ticks__tick_on', arguments: { file: 'x' } }))).toBe(
    'scope.tool_not_granted',
  );
  expect(await decisions()).toMatchObject([
    { verdict: 'permit', log: 'tools', tool: 'mcp://far/tools/say', outcome: 'succeeded' },
    { verdict: 'deny', log: 'tools', tool: 'mcp://ticks/tools/tick_on' },
  ]);
  const writer = JSON.parse(readFileSync(join(folder, '.writ/execution/tools/writer.json'), 'utf8'));
  expect(writer).toMatchObject({ pid: daemon.pid });
});

it('without the daemon what runs is stopped and nothing is permitted; with it again, the same session goes on', async () => {
  const file = join(folder, 'killed');
  const call = codeOf(client.callTool({ name: 'ticks__tick', arguments: { file } }));
  await vi.waitFor(() => expect(ticksIn(file)).toMatch(/^\.\.+$/), PATIENCE);
  daemon.kill('SIGKILL');
  expect(await call).toBe('log.unavailable');
  await vi.waitFor(() => expect(ticksIn(file)).toMatch(/cancelled$/), PATIENCE);
  const said = far.said.length;
  expect(await codeOf(say(client, 'unheard'))).toBe('log.unavailable');
  expect(far.said).toHaveLength(said);
  ({ child: daemon } = await start('up'));
  expect(await codeOf(say(client, 'again'))).toBe('permitted');
});

it(`${SESSIONS} sessions on one gateway: each call is answered with its own, and has its receipt`, async () => {
  const { url } = await serve('far', `far=${far.url}`);
  const clients = await Promise.all(Array.from({ length: SESSIONS }, () => connect(url)));
  const before = far.said.length;
  const texts = await Promise.all(
    clients.flatMap((one, session) =>
      Array.from({ length: CALLS_EACH }, async (_, at) => {
        const text = `${session}.${at}`;
        const { content } = await one.callTool({ name: 'say', arguments: { text } });
        expect(content).toEqual([{ type: 'text', text: `said ${text}` }]);
        return text;
      }),
    ),
  );
  expect(far.said.slice(before).toSorted()).toEqual(texts.toSorted());
  await vi.waitFor(async () => {
    const recorded = await decisions('--log', 'far');
    expect(recorded).toHaveLength(SESSIONS * CALLS_EACH);
    expect(recorded).toEqual(
      recorded.map(() => expect.objectContaining({ verdict: 'permit', outcome: 'succeeded' })),
    );
  }, PATIENCE);
  // One runtime of the gateway, however many talk to it.
  expect(await writJson(folder, 'up', 'status')).toMatchObject({ sessions: 2 });
  await Promise.all(clients.map((one) => one.close()));
}, 60_000);

it('a revocation stops a call that runs behind it, and the next one is denied', async () => {
  // A server that did not answer the call that was stopped is gone by now, and its session with it.
  await client.close();
  client = await connect(tools);
  const file = join(folder, 'revoked');
  const call = codeOf(client.callTool({ name: 'ticks__tick', arguments: { file } }));
  await vi.waitFor(() => expect(ticksIn(file)).toMatch(/^\.\.+$/), PATIENCE);
  await writJson(folder, 'artifact', 'revoke', '--artifact', 'agent-tools', '--reason', 'test');
  expect(await call).toBe('revocation.revoked');
  await vi.waitFor(() => expect(ticksIn(file)).toMatch(/cancelled$/), PATIENCE);
  expect(await codeOf(say(client, 'late'))).toBe('revocation.revoked');
  expect(far.said).not.toContain('late');
  expect((await decisions('--log', 'tools')).slice(-2)).toMatchObject([
    { verdict: 'permit', outcome: 'terminated' },
    { verdict: 'deny', code: 'revocation.revoked' },
  ]);
});
