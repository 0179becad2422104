import { mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as ModernClient } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';
import { deny } from '../../src/denial/index.ts';
import { type Command, fixtureServer, govern, publishedServer } from './mcp-support.ts';

function folder(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'writ-mcp-')));
  writeFileSync(join(path, 'a.txt'), 'alpha\n');
  writeFileSync(join(path, 'b.txt'), 'beta\n');
  return path;
}

async function connect(transport: Transport): Promise<Client> {
  const client = new Client(
    { name: 'test', version: '1' },
    { capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } },
  );
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: 'sampled' },
  }));
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'decline' }));
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [] }));
  await client.connect(transport);
  return client;
}

/** What a client sees of a server: every list and the given calls. */
async function look(client: Client, calls: readonly [string, Record<string, unknown>][]): Promise<unknown> {
  const capabilities = client.getServerCapabilities() ?? {};
  const seen: unknown[] = [client.getServerVersion(), capabilities, client.getInstructions()];
  seen.push(capabilities.tools ? await client.listTools() : undefined);
  seen.push(capabilities.prompts ? await client.listPrompts() : undefined);
  if (capabilities.resources) {
    seen.push(await client.listResources(), await client.listResourceTemplates());
    const [first] = (await client.listResources()).resources;
    if (first) seen.push(await client.readResource({ uri: first.uri }));
  }
  for (const [name, args] of calls) {
    seen.push(await client.callTool({ name, arguments: args }).catch((error: Error) => error.message));
  }
  return seen;
}

const path = folder();
const servers: [string, Command, [string, Record<string, unknown>][]][] = [
  [
    'filesystem',
    publishedServer('filesystem', path),
    [
      ['read_text_file', { path: join(path, 'a.txt') }],
      ['read_multiple_files', { paths: [join(path, 'a.txt'), join(path, 'b.txt')] }],
      ['list_directory', { path }],
      ['directory_tree', { path }],
      ['read_text_file', { path: '/etc/passwd' }],
      ['no_such_tool', {}],
    ],
  ],
  [
    'memory',
    publishedServer('memory'),
    [
      ['read_graph', {}],
      ['search_nodes', { query: 'x' }],
    ],
  ],
  [
    'everything',
    publishedServer('everything'),
    [
      ['echo', { message: 'hello' }],
      ['get-sum', { a: 1, b: 2 }],
      ['get-tiny-image', {}],
      ['get-structured-content', { location: 'New York' }],
      ['get-annotated-message', { messageType: 'error', includeImage: true }],
      ['trigger-long-running-operation', { duration: 0.1, steps: 2 }],
      ['trigger-sampling-request', { prompt: 'p', maxTokens: 5 }],
      ['trigger-elicitation-request', {}],
      ['get-roots-list', {}],
      ['echo', { message: 7 }],
    ],
  ],
];

describe.each(servers)('server-%s', (_name, command, calls) => {
  it('through the gateway is what it is without it, for all that is granted', async () => {
    const direct = await connect(new StdioClientTransport({ ...command, stderr: 'ignore' }));
    const expected = await look(direct, calls);
    await direct.close();

    const governed = govern(command);
    const client = await connect(governed.transport);
    expect(await look(client, calls)).toEqual(expected);
    await client.close();
    expect(await governed.exit).toMatchObject({ reason: 'client_closed' });
    const called = governed.governor.runs.filter(({ action }) => action.tool.startsWith('mcp://s/tools/'));
    expect(called).toHaveLength(calls.length);
  });

  it('works with the client of the newer SDK, which probes for the newer era first', async () => {
    const governed = govern(command);
    const client = new ModernClient(
      { name: 'test', version: '1' },
      { versionNegotiation: { mode: 'auto', probe: { timeoutMs: 2000 } } },
    );
    await client.connect(governed.transport);
    const { tools } = await client.listTools();
    expect(tools.length).toBeGreaterThan(0);
    const [[name, args] = ['', {}]] = calls;
    expect(await client.callTool({ name, arguments: args })).toHaveProperty('content');
    await client.close();
    await governed.exit;
  });
});

describe('a governed filesystem server', () => {
  const write = deny('scope.tool_not_granted', 'write_file');

  it('does what is granted; what is denied does not happen, and the client is told why', async () => {
    const workspace = folder();
    const governed = govern(publishedServer('filesystem', workspace), {
      grants: (tool) => tool.endsWith('/read_text_file'),
      decide: ({ tool }) => (tool.endsWith('/read_text_file') ? undefined : write),
    });
    const client = await connect(governed.transport);
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['read_text_file']);
    const target = join(workspace, 'a.txt');
    const read = await client.callTool({ name: 'read_text_file', arguments: { path: target } });
    expect(JSON.stringify(read)).toContain('alpha');
    await expect(
      client.callTool({ name: 'write_file', arguments: { path: target, content: 'overwritten' } }),
    ).rejects.toMatchObject({
      code: -32003,
      data: { code: 'scope.tool_not_granted', receipt: expect.stringMatching(/^execution-/) },
    });
    expect(readFileSync(target, 'utf8')).toBe('alpha\n');
    await client.close();
    await governed.exit;
  });

  it('is told of roots only when that is granted', async () => {
    const outside = folder();
    const governed = govern(publishedServer('filesystem', path), {
      decide: ({ tool }) => (tool.includes('/roots/') ? write : undefined),
    });
    const client = await connect(governed.transport);
    await expect.poll(() => governed.governor.runsOf('mcp://s/roots/list').length).toBe(1);
    const read = await client.callTool({ name: 'list_directory', arguments: { path: outside } });
    expect(read.isError).toBe(true);
    await client.close();
    await governed.exit;
  });
});

describe('a governed everything server', () => {
  it('does not give its environment away', async () => {
    const governed = govern(publishedServer('everything'), {
      decide: ({ tool }) => (tool.endsWith('/get-env') ? deny('policy.forbidden', '') : undefined),
      limits: { denialStyle: 'tool-result' },
    });
    const client = await connect(governed.transport);
    const denied = await client.callTool({ name: 'get-env', arguments: {} });
    expect(denied).toMatchObject({ isError: true, _meta: { 'writ/code': 'policy.forbidden' } });
    expect(JSON.stringify(denied)).not.toContain('PATH');
    await client.close();
    await governed.exit;
  });

  it('asks no model when that is not granted', async () => {
    const governed = govern(publishedServer('everything'), {
      decide: ({ tool }) => (tool.includes('/sampling/') ? deny('scope.tool_not_granted', '') : undefined),
    });
    const client = await connect(governed.transport);
    const args = { prompt: 'leak this', maxTokens: 5 };
    const answer = await client
      .callTool({ name: 'trigger-sampling-request', arguments: args })
      .catch((error: Error) => error.message);
    expect(JSON.stringify(answer)).toContain('does not grant');
    expect(governed.toClient()).not.toContain('sampling/createMessage');
    await client.close();
    await governed.exit;
  });

  it('is cancelled by the client', async () => {
    const governed = govern(publishedServer('everything'));
    const client = await connect(governed.transport);
    const progress: unknown[] = [];
    const abort = new AbortController();
    const args = { duration: 20, steps: 100 };
    await expect(
      client.callTool({ name: 'trigger-long-running-operation', arguments: args }, undefined, {
        signal: abort.signal,
        onprogress: (report) => {
          progress.push(report);
          abort.abort();
        },
      }),
    ).rejects.toThrow();
    expect(progress.length).toBeGreaterThan(0);
    // This server goes on all the same: the call stays watched, and how it ended is known to nobody once it is gone.
    expect(governed.governor.runs.at(-1)?.end).toBeUndefined();
    await client.close();
    await governed.exit;
    expect(governed.governor.runs.at(-1)?.end?.status).toBe('unknown');
  });
});

describe('a server of the stateless era', () => {
  const client = () => {
    const modern = new ModernClient(
      { name: 'test', version: '1' },
      { capabilities: { elicitation: {} }, versionNegotiation: { mode: { pin: '2026-07-28' } } },
    );
    modern.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }));
    return modern;
  };

  it('is governed with its own client: calls, and input asked for in between', async () => {
    const governed = govern(fixtureServer('modern-server.ts'));
    const modern = client();
    await modern.connect(governed.transport);
    expect((await modern.listTools()).tools.map(({ name }) => name)).toEqual(['add', 'greet', 'rename']);
    expect(await modern.callTool({ name: 'add', arguments: { a: 1, b: 2 } })).toMatchObject({
      content: [{ text: '3' }],
    });
    expect(await modern.callTool({ name: 'greet', arguments: {} })).toMatchObject({
      content: [{ text: 'Hello Ada' }],
    });
    expect(governed.governor.runs.map(({ action }) => action.tool)).toEqual([
      'mcp://s/tools/add',
      'mcp://s/tools/greet',
      'mcp://s/elicitation/create',
      'mcp://s/tools/greet',
    ]);
    expect(
      governed.governor.runs.every(({ action }) => action.toolDigest || action.tool.includes('elicit')),
    ).toBe(true);
    await modern.close();
    await governed.exit;
  });

  it('asks nobody anything when that is not granted', async () => {
    const governed = govern(fixtureServer('modern-server.ts'), {
      decide: ({ tool }) => (tool.includes('/elicitation/') ? deny('scope.tool_not_granted', '') : undefined),
    });
    const modern = client();
    await modern.connect(governed.transport);
    await expect(modern.callTool({ name: 'greet', arguments: {} })).rejects.toMatchObject({
      data: { code: 'scope.tool_not_granted' },
    });
    expect(governed.toClient()).not.toContain('Your name?');
    await modern.close();
    await governed.exit;
  });

  it('shows only what is granted, and says that it must not be cached', async () => {
    const governed = govern(fixtureServer('modern-server.ts'), { grants: (tool) => tool.endsWith('/add') });
    const modern = client();
    await modern.connect(governed.transport);
    expect((await modern.listTools()).tools.map(({ name }) => name)).toEqual(['add']);
    expect(governed.toClient()).toContain('"ttlMs":0,"cacheScope":"private"');
    await modern.close();
    await governed.exit;
  });
});
