import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { codeOf, connect, processesIn, runWrit, writJson } from './cli-program.ts';
import { fixtureServer } from './mcp-support.ts';

const PATIENCE = { timeout: 20_000, interval: 50 };
let folder = '';
let clients: Client[] = [];
const call = (client: Client | undefined) =>
  codeOf(client?.callTool({ name: 'echo', arguments: { text: 'x' } }) ?? Promise.reject(new Error('none')));
/** Daemons: `… --home FOLDER --json up …`. */
const daemons = () => processesIn(`--home ${folder}/.writ --json up`);
/** Sockets that the gateway of a client has open: some of them lead to the daemon. */
function socketsOf({ transport }: Client): number {
  if (!(transport instanceof StdioClientTransport)) throw new Error('no gateway');
  const folder = `/proc/${transport.pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(join(folder, name)).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'writ-demand-')));
  writeFileSync(join(folder, 'description'), 'Says it again.');
  const { command, args } = fixtureServer('changing-server.ts', 'description');
  await writJson(folder, 'init', '--server', 'echo', '--', command, ...args);
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  rmSync(folder, { recursive: true, force: true });
  for (const pid of processesIn(folder)) process.kill(pid, 'SIGKILL');
});

it('where it cannot be started a gateway says what to do and ends; none decides by itself', async () => {
  const config = join(folder, '.writ/writ.yaml');
  writeFileSync(config, 'daemon:\n  drainSecond: 1\n');
  const refused = await runWrit(folder, 'mcp', '--name', 'echo');
  expect(refused).toMatchObject({ code: 1, out: '' });
  expect(refused.err).toContain('daemon.log');
  expect(refused.err).toContain('--daemon never');
  expect(existsSync(join(folder, '.writ/execution/echo'))).toBe(false);
  rmSync(config);
});

it('gateways that start at once where none runs share one daemon, which decides and records for all of them', async () => {
  clients = await Promise.all([1, 2].map(() => connect(folder, '--name', 'echo')));
  expect(await Promise.all(clients.map(call))).toEqual(['permitted', 'permitted']);
  const status = await writJson(folder, 'up', 'status');
  expect(status).toMatchObject({ ready: true, sessions: 2, idleExitSeconds: 900 });
  await vi.waitFor(() => expect(daemons()).toEqual([status.pid]), PATIENCE);
  const { decisions } = await writJson(folder, 'log', 'show');
  expect(decisions).toMatchObject([1, 2].map(() => ({ verdict: 'permit', log: 'echo' })));
});

it('killed, its socket left behind, it is started again by the next call, and has lost nothing', async () => {
  const [client] = clients;
  const { pid } = await writJson(folder, 'up', 'status');
  const before = clients.map(socketsOf);
  process.kill(Number(pid), 'SIGKILL');
  await vi.waitFor(() => expect(daemons()).toEqual([]), PATIENCE);
  // A call that is asked of a daemon just gone is denied: whether it was recorded nobody can say. This is about those after it.
  await vi.waitFor(() => {
    const now = clients.map(socketsOf);
    expect(now.every((count, at) => count < (before[at] ?? 0))).toBe(true);
  }, PATIENCE);
  expect(existsSync(join(folder, '.writ/run/writ.sock'))).toBe(true);
  expect(await Promise.all(clients.map(call))).toEqual(['permitted', 'permitted']);
  expect(daemons()).toHaveLength(1);
  expect(daemons()).not.toContain(pid);
  expect(await call(client)).toBe('permitted');
});

it('told to stay, it does not end with the last gateway; when its home is gone, it does', async () => {
  await writJson(folder, 'up', '--detach');
  await vi.waitFor(
    async () => expect(await writJson(folder, 'up', 'status')).not.toHaveProperty('idleExitSeconds'),
    PATIENCE,
  );
  await Promise.all(clients.map((client) => client.close()));
  clients = [];
  expect(daemons()).toHaveLength(1);
  rmSync(join(folder, '.writ'), { recursive: true });
  await vi.waitFor(() => expect(processesIn(folder)).toEqual([]), PATIENCE);
});
