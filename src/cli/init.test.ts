import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../codec/index.ts';
import { makeFolder, type Ran, writ } from './run.test-support.ts';

/** A server that does as its first argument says. */
const SERVER = `
const mode = process.argv[2];
const tools = JSON.parse(process.argv[3] ?? '[]');
const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
if (mode === 'exit') { console.error('cannot find my configuration'); process.exit(3); }
// As fast as it is read: what a pipe does not take would pile up here until the server itself fails.
const pour = (text) => process.stdout.write(text, () => setImmediate(pour, text));
if (mode === 'flood') pour('x'.repeat(1 << 20) + '\\n');
if (mode === 'garbage') pour('x'.repeat(1 << 20));
let buffer = '';
process.stdin.on('data', (chunk) => {
  buffer += chunk;
  for (let end; (end = buffer.indexOf('\\n')) >= 0; buffer = buffer.slice(end + 1)) {
    const { id, method, params } = JSON.parse(buffer.slice(0, end));
    if (id === undefined || ['silent', 'garbage', 'flood'].includes(mode)) continue;
    const modern = params?._meta?.['io.modelcontextprotocol/protocolVersion'] === '2026-07-28';
    if (mode === 'modern' && !modern) send({ id, error: { code: -32601, message: 'no' } });
    else if (method === 'initialize') {
      if (mode === 'asks') send({ id: 'a', method: 'roots/list' });
      send({ id, result: { protocolVersion: '2025-11-25', capabilities: mode === 'asks' ? { tools: {}, resources: {}, prompts: {} } : {}, serverInfo: { name: 's', version: '1' } } });
    } else if (method === 'server/discover') send({ id, result: { supportedVersions: ['2026-07-28'] } });
    else if (method !== 'tools/list') continue;
    else if (mode === 'endless') send({ id, result: { tools: [], nextCursor: 'again' } });
    else if (mode === 'none') send({ id, error: { code: -32601, message: 'no tools here' } });
    else {
      const at = Number(params?.cursor ?? 0);
      send({ id, result: { tools: tools.slice(at, at + 1), ...(at + 1 < tools.length ? { nextCursor: String(at + 1) } : {}) } });
    }
  }
});
process.stdin.on('end', () => process.exit(0));
`;

const tool = (name: string, readOnlyHint: boolean, description = 'does it'): JsonObject => ({
  name,
  description,
  inputSchema: {
    type: 'object',
    properties: { path: { type: 'string' }, head: { type: 'number' } },
    required: ['path'],
  },
  annotations: { readOnlyHint, destructiveHint: !readOnlyHint },
});
const TOOLS = [tool('look', true), tool('touch', false), tool('peek', true)];

let parent = '';
let remove = () => {};
let folder = '';
let count = 0;

beforeAll(() => {
  ({ folder: parent, remove } = makeFolder());
  writeFileSync(join(parent, 'server.mjs'), SERVER);
});
afterAll(() => remove());
beforeEach(() => {
  count += 1;
  folder = join(parent, String(count));
  mkdirSync(folder);
});

function init(mode: string, tools: readonly JsonObject[] = TOOLS, ...more: string[]): Promise<Ran> {
  const command = ['--', process.execPath, join(parent, 'server.mjs'), mode, JSON.stringify(tools)];
  return writ({ cwd: folder }, 'init', '--server', 'fs', '--json', '--timeout', '5s', ...more, ...command);
}

describe('writ init', () => {
  it('makes a trust domain that only its owner can use, once', async () => {
    const made = await writ({ cwd: folder }, 'init', '--json');
    expect(made).toMatchObject({ code: 0, err: '' });
    expect(made.json).toMatchObject({
      domain: 'local',
      created: true,
      agent: { subject: 'spiffe://local/agent/agent', created: true },
      policy: { id: 'local', changed: true },
    });
    const home = join(folder, '.writ');
    for (const file of [
      'keys/issuer.pem',
      'keys/governance.pem',
      'keys/evidence.key',
      'keys/agents/agent.pem',
    ]) {
      expect(statSync(join(home, file)).mode & 0o077, file).toBe(0);
    }
    expect(statSync(home).mode & 0o022).toBe(0);
    expect(readFileSync(join(home, '.gitignore'), 'utf8')).toMatch(/^\*\n/);
    const keys = readFileSync(join(home, 'keys/issuer.pem'), 'utf8');
    const again = await writ({ cwd: folder }, 'init', '--json');
    expect(again.json).toMatchObject({
      created: false,
      agent: { created: false },
      policy: { changed: false },
    });
    expect(readFileSync(join(home, 'keys/issuer.pem'), 'utf8')).toBe(keys);
    const renamed = await writ({ cwd: folder }, 'init', '--name', 'other', '--json');
    expect(renamed).toMatchObject({ code: 2 });
  });

  it('is found from below, and can live elsewhere', async () => {
    await writ({ cwd: folder }, 'init');
    mkdirSync(join(folder, 'deep/er'), { recursive: true });
    expect((await writ({ cwd: join(folder, 'deep/er') }, 'policy', 'show')).code).toBe(0);
    expect((await writ({ cwd: '/', homeFolder: folder }, 'policy', 'show')).code).toBe(0);
    expect((await writ({ cwd: '/' }, '--home', join(folder, '.writ'), 'policy', 'show')).code).toBe(0);
    const elsewhere = join(folder, 'elsewhere');
    const made = await writ({ cwd: '/' }, '--home', elsewhere, 'init', '--json');
    expect(made.json).toMatchObject({ home: elsewhere, created: true });
  });

  it('pins all tools of a server, grants those that only read, and prints the client configuration', async () => {
    const { code, json } = await init('legacy');
    expect(code).toBe(0);
    expect(json).toMatchObject({
      server: {
        tools: [
          { id: 'mcp://fs/tools/look', group: 'read', granted: true },
          { id: 'mcp://fs/tools/touch', group: 'destructive', granted: false },
          { id: 'mcp://fs/tools/peek', group: 'read', granted: true },
        ],
      },
      artifact: {
        name: 'agent-fs',
        changed: true,
        tools: {
          'mcp://fs/tools/look': {
            path: { constraint_type: 'wildcard' },
            head: { constraint_type: 'wildcard', optional: true },
          },
        },
      },
      client: { command: 'writ' },
    });
    const { args } = json.client as { args: string[] };
    expect(args.slice(0, 5)).toEqual(['mcp', '--home', join(folder, '.writ'), '--name', 'fs']);
    expect(args[args.indexOf('--') + 1]).toBe(process.execPath);
    const policy = await writ({ cwd: folder }, 'policy', 'show', '--json');
    const pinned = (policy.json.tools as unknown as { id: string }[]).map(({ id }) => id);
    expect(pinned).toEqual(expect.arrayContaining(['mcp://fs/tools/touch', 'mcp://fs/resources/read']));
    const inspected = await writ({ cwd: folder }, 'artifact', 'inspect', 'agent-fs', '--json');
    expect(inspected.json.standing).toEqual({ verdict: 'valid' });
  });

  it('keeps what stands, and says what a server changed', async () => {
    const first = await init('legacy');
    const again = await init('legacy');
    expect(again.json).toMatchObject({
      policy: { changed: false },
      artifact: { changed: false, jti: (first.json.artifact as JsonObject).jti as string },
    });
    const changed = await init('legacy', [tool('look', true, 'now does more'), tool('new', true)]);
    expect(changed.json).toMatchObject({
      server: {
        changes: {
          changed: ['mcp://fs/tools/look'],
          added: ['mcp://fs/tools/new'],
          removed: ['mcp://fs/tools/touch', 'mcp://fs/tools/peek'],
        },
      },
      policy: { changed: true },
      artifact: { changed: true },
    });
  });

  it('issues anew once the artifact is revoked or near its end', async () => {
    const first = await init('legacy', TOOLS, '--ttl', '1d');
    const revoke = ['artifact', 'revoke', '--artifact', 'agent-fs', '--reason', 'test'];
    expect((await writ({ cwd: folder }, ...revoke)).code).toBe(0);
    const second = await init('legacy', TOOLS, '--ttl', '1d');
    expect(second.json).toMatchObject({ artifact: { changed: true } });
    expect(second.json.artifact).not.toMatchObject({
      jti: (first.json.artifact as JsonObject).jti as string,
    });
    expect((await init('legacy', TOOLS, '--ttl', '7d')).json).toMatchObject({ artifact: { changed: true } });
  });

  it('speaks with servers of every era, and answers what they ask', async () => {
    for (const mode of ['modern', 'asks']) {
      expect((await init(mode)).json, mode).toMatchObject({ server: { tools: { length: 3 } } });
    }
    const asked = await init('asks');
    expect(Object.keys((asked.json.artifact as JsonObject).tools as JsonObject)).toEqual([
      'mcp://fs/tools/look',
      'mcp://fs/tools/peek',
      'mcp://fs/resources/read',
      'mcp://fs/resources/subscribe',
      'mcp://fs/prompts/get',
    ]);
    expect((await init('none')).json).toMatchObject({ server: { tools: [] }, artifact: { tools: {} } });
  });

  it('ends with a message where a server does not list its tools, and adds nothing', async () => {
    for (const [mode, message] of [
      ['exit', /exited with 3 .* cannot find my configuration/],
      ['silent', /did not answer within 1 s/],
      ['endless', /end of its list/],
      ['garbage', /size limit/],
      ['flood', /says more than/],
    ] as const) {
      const ran = await init(mode, TOOLS, '--timeout', mode === 'silent' ? '1s' : '20s');
      expect(ran.code, mode).toBe(1);
      expect(ran.json.error, mode).toMatchObject({
        code: 'environment.unmeasured',
        message: expect.stringMatching(message),
      });
      expect(existsSync(join(folder, '.writ/policy/tools/fs.json'))).toBe(false);
      expect(existsSync(join(folder, '.writ/artifacts/agent-fs.json'))).toBe(false);
    }
    const absent = await writ({ cwd: folder }, 'init', '--server', 'fs', '--json', '--', './no-such-server');
    expect(absent.json.error).toMatchObject({ message: expect.stringContaining('ENOENT') });
  });

  it('refuses tools that cannot be told apart', async () => {
    const ran = await init('legacy', [tool('look', true), tool('look', false)]);
    expect(ran).toMatchObject({ code: 1 });
  });

  it('says how it is used', async () => {
    const at = { cwd: folder };
    expect((await writ(at, 'init', '--', 'npx', 'server')).err).toContain('--server NAME');
    expect((await writ(at, 'init', '--server', 'fs')).err).toContain('after --');
    expect((await writ(at, 'init', '--server', '../fs', '--', 'x')).code).toBe(2);
    expect((await writ(at, 'init', '--name', 'Not A Name')).code).toBe(2);
    expect((await writ(at, 'init', '--agent', '../x')).code).toBe(2);
    expect((await writ(at, 'mcp', '--name', 'fs', '--agent', '../issuer')).code).toBe(2);
    expect((await writ(at, 'init', '--ttl', 'ever')).code).toBe(2);
    rmSync(join(folder, '.writ'), { recursive: true, force: true });
  });

  it('puts the words for people on stdout, without colour where it is piped', async () => {
    const ran = await writ(
      { cwd: folder },
      ...['init', '--server', 'fs', '--', process.execPath, join(parent, 'server.mjs'), 'legacy'],
      JSON.stringify(TOOLS),
    );
    expect(ran.out).toContain('✓ mcp://fs/tools/look  path, head?');
    expect(ran.out).toContain('✗ mcp://fs/tools/touch  destructive: not granted');
    expect(ran.out).toContain('claude mcp add fs -- writ mcp --home');
    expect(ran.out).not.toContain('\u001b');
  });
});
