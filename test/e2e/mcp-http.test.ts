import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writ } from '../../src/cli/run.test-support.ts';
import type { JsonObject } from '../../src/codec/index.ts';
import { connect, endOf, startWrit, writJson } from './cli-program.ts';

const SERVER = fileURLToPath(new URL('../fixtures/mcp/changing-server.ts', import.meta.url));
const CHANGED = 'Says it again.\u202e And elsewhere.';
const TOKEN = 'e2e-token-e2e-token-e2e-token';

let folder = '';
let served: ChildProcessWithoutNullStreams;
let url = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writ-http-'));
  writeFileSync(join(folder, 'description'), 'Says it again.');
  writeFileSync(join(folder, 'token'), `${TOKEN}\n`);
  chmodSync(join(folder, 'token'), 0o600);
  await writJson(folder, 'init', '--server', 'echo', '--', process.execPath, SERVER, 'description');
  const options = [
    '--name',
    'echo',
    '--listen',
    '127.0.0.1:0',
    '--token-file',
    'token',
    '--require-presentation',
    '--daemon',
    'never',
  ];
  served = startWrit(folder, '--json', 'mcp', 'serve', ...options);
  url = await new Promise<string>((resolve, reject) => {
    served.stdout.once('data', (chunk: Buffer) => resolve(String(JSON.parse(chunk.toString()).url)));
    served.once('close', (code) => reject(new Error(`writ mcp serve ended with ${code}`)));
  });
});
afterAll(() => {
  served.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

it('an agent with its presenter calls through the gateway; one without does not', async () => {
  const client = await connect(folder, 'connect', url, '--token-file', 'token');
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['echo']);
  const result = await client.callTool({ name: 'echo', arguments: { text: 'hello' } });
  const sent = JSON.stringify(result);
  expect(sent).toContain('hello');
  expect(sent).not.toContain('aat_chain');
  await client.close();

  const bare = new Client({ name: 'bare', version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${TOKEN}` } };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit });
  // Its declaration does not know of exactOptionalPropertyTypes.
  await bare.connect(transport as Parameters<Client['connect']>[0]);
  expect((await bare.listTools()).tools).toEqual([]);
  await expect(bare.callTool({ name: 'echo', arguments: {} })).rejects.toMatchObject({
    data: { code: 'artifact.missing' },
  });
  await transport.terminateSession();
  await bare.close();
  const { decisions } = await writJson(folder, 'log', 'show');
  expect(decisions).toMatchObject([
    { verdict: 'permit', tool: 'mcp://echo/tools/echo', outcome: 'succeeded' },
    { verdict: 'deny', code: 'artifact.missing', tool: 'mcp://echo/tools/echo' },
  ]);
});

it('a tool that changed is denied until what was read is approved, and only that', async () => {
  const changes = async (...args: string[]) =>
    writ({ cwd: folder }, '--json', 'mcp', 'changes', 'echo', ...args);
  writeFileSync(join(folder, 'description'), CHANGED);
  const client = await connect(folder, 'connect', url, '--token-file', 'token');
  const call = () => client.callTool({ name: 'echo', arguments: { text: 'x' } });
  await expect(call()).rejects.toMatchObject({ data: { code: 'environment.tool_changed' } });

  const shown = await changes();
  expect(shown).toMatchObject({
    code: 1,
    json: { changes: [{ tool: 'mcp://echo/tools/echo', kind: 'changed' }] },
  });
  expect(JSON.stringify(shown.json)).toContain('u{202e}');
  const { digest } = shown.json as JsonObject & { digest: string };
  writeFileSync(join(folder, 'description'), 'Something else again.');
  expect(await changes('--approve', digest)).toMatchObject({ code: 1 });
  await expect(call()).rejects.toMatchObject({ data: { code: 'environment.tool_changed' } });
  writeFileSync(join(folder, 'description'), CHANGED);
  expect(await changes('--approve', digest)).toMatchObject({ code: 0, json: { approved: true } });
  expect(JSON.stringify(await call())).toContain('x');
  await client.close();
});

it('ends in order when it is told to, and listens nowhere else without a token', async () => {
  const ended = endOf(served);
  served.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, signal: null });
  const refused = await writ({ cwd: folder }, 'mcp', 'serve', '--name', 'echo', '--listen', '0.0.0.0:0');
  expect(refused.code).toBe(2);
  expect(refused.err).toContain('--token-file');
  expect(await writJson(folder, 'log', 'verify')).toMatchObject({ verified: true });
});
