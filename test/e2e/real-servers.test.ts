import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isDenial } from '../../src/denial/index.ts';
import { listExecutionLogs } from '../../src/governor/index.ts';
import { parseDecisionReceipt, parseOutcomeReceipt } from '../../src/receipt/index.ts';
import { openSqliteLogReader } from '../../src/storage/index.ts';
import { runLogVerify } from '../campaign/kill-world.ts';
import { type Command, publishedServer } from './mcp-support.ts';
import { makeRealDomain, type RealDomain, tapped } from './real-servers-domain.ts';
import { connectModern, connectSdk, type Peer } from './real-servers-peer.ts';

// The published servers, the official clients and the real `writ mcp`: what a client sees of a server, with and without.

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const INSPECTOR = require
  .resolve('@modelcontextprotocol/inspector/package.json')
  .replace('package.json', 'clients/launcher/build/index.js');
const SLOW = 60_000;

const scratch = join(tmpdir(), `writ-real-servers-${process.pid}`);
const workspace = join(scratch, 'workspace');
const told = join(scratch, 'told-to-everything');
const path = (...names: string[]) => join(workspace, ...names);
const memory = (file: string): Command => ({
  command: 'env',
  args: [`MEMORY_FILE_PATH=${join(scratch, file)}`, ...words(publishedServer('memory'))],
});
const servers = {
  fs: publishedServer('filesystem', workspace),
  memory: memory('listed.jsonl'),
  everything: publishedServer('everything'),
};

let domain: RealDomain;

/** Dynamic resources say when they were made. */
function withoutTimes(value: unknown): string {
  return JSON.stringify(value).replace(/at \d{1,2}:\d\d:\d\d [AP]M/, 'at (time)');
}

function words({ command, args }: Command): string[] {
  return [command, ...args];
}

/** The workspace as every comparison finds it. */
function layOut(): void {
  rmSync(workspace, { recursive: true, force: true });
  mkdirSync(path('notes'), { recursive: true });
  writeFileSync(path('notes', 'a.txt'), 'alpha\nbeta\n');
  writeFileSync(path('notes', 'b.txt'), 'gamma\n');
}

beforeAll(async () => {
  layOut();
  domain = await makeRealDomain(servers, ['mcp://everything/tools/get-env']);
}, SLOW);

afterAll(() => {
  domain.dispose();
  rmSync(scratch, { recursive: true, force: true });
});

const ALL_SDKS = [
  ['@modelcontextprotocol/client', connectModern],
  ['@modelcontextprotocol/sdk', connectSdk],
] as const;
// Each is a minute of two cores. The older client runs in cli-gateway and mcp-published-servers as well.
const SDKS = process.env.WRIT_TEST_ALL === undefined ? ALL_SDKS.slice(0, 1) : ALL_SDKS;

describe.each(SDKS)('a client of %s', (_name, connect) => {
  /** A client with the server and one with the gateway in its place. */
  function pair(connecting: () => [Promise<Peer>, Promise<Peer>]) {
    const peers: Peer[] = [];
    beforeAll(async () => {
      peers.push(...(await Promise.all(connecting())));
    }, SLOW);
    afterAll(async () => {
      await Promise.all(peers.map((peer) => peer.close()));
    });
    const at = (index: number): Peer => {
      const peer = peers[index];
      if (peer === undefined) throw new TypeError('not connected');
      return peer;
    };
    return {
      governed: () => at(1),
      /** Does the same with both: what comes of it must be the same. */
      async compare<T>(use: (peer: Peer) => Promise<T> | T): Promise<T> {
        const direct = await use(at(0));
        const governed = await use(at(1));
        expect(governed).toEqual(direct);
        return governed;
      },
    };
  }

  describe('with server-filesystem', () => {
    const { compare } = pair(() => [
      connect(servers.fs, 'no roots'),
      connect(domain.governed('fs'), 'no roots'),
    ]);

    it('sees the same server with the same tools', async () => {
      await compare((peer) => peer.about());
      const { tools } = await compare((peer) => peer.listTools());
      expect(tools.length).toBeGreaterThan(10);
    });

    it('reads and writes the same', async () => {
      const calls: [string, Record<string, unknown>][] = [
        ['read_text_file', { path: path('notes', 'a.txt') }],
        ['read_text_file', { path: path('notes', 'a.txt'), head: 1 }],
        ['read_text_file', { path: '/etc/hostname' }],
        ['read_multiple_files', { paths: [path('notes', 'a.txt'), path('notes', 'b.txt'), path('none')] }],
        ['list_directory', { path: workspace }],
        ['list_directory_with_sizes', { path: path('notes'), sortBy: 'size' }],
        ['directory_tree', { path: workspace }],
        ['search_files', { path: workspace, pattern: '**/*.txt' }],
        ['list_allowed_directories', {}],
        ['write_file', { path: path('new.txt'), content: 'written ✓\n' }],
        [
          'edit_file',
          { path: path('notes', 'a.txt'), edits: [{ oldText: 'beta', newText: 'delta' }], dryRun: false },
        ],
        ['create_directory', { path: path('made') }],
        ['move_file', { source: path('notes', 'b.txt'), destination: path('made', 'b.txt') }],
      ];
      await compare(async (peer) => {
        layOut();
        const answers: unknown[] = [];
        for (const [name, args] of calls) answers.push(await peer.callTool(name, args));
        const onDisk = [path('new.txt'), path('notes', 'a.txt'), path('made', 'b.txt')];
        return [answers, onDisk.map((file) => readFileSync(file, 'utf8'))];
      });
      expect(readFileSync(path('notes', 'a.txt'), 'utf8')).toBe('alpha\ndelta\n');
    });
  });

  describe('with server-memory', () => {
    const { compare } = pair(() => [
      connect(memory(`direct-${connect.name}.jsonl`), 'no roots'),
      connect(domain.governed('memory', memory(`governed-${connect.name}.jsonl`)), 'no roots'),
    ]);

    it('sees the same tools and builds the same graph', async () => {
      await compare((peer) => peer.listTools());
      const entity = { name: 'Ada', entityType: 'person', observations: ['writes programs'] };
      const relation = { from: 'Ada', to: 'Charles', relationType: 'knows' };
      const graph = await compare(async (peer) => [
        await peer.callTool('create_entities', { entities: [entity, { ...entity, name: 'Charles' }] }),
        await peer.callTool('create_relations', { relations: [relation] }),
        await peer.callTool('add_observations', {
          observations: [{ entityName: 'Ada', contents: ['likes numbers'] }],
        }),
        await peer.callTool('search_nodes', { query: 'numbers' }),
        await peer.callTool('open_nodes', { names: ['Charles'] }),
        await peer.callTool('delete_entities', { entityNames: ['Charles'] }),
        await peer.callTool('read_graph', {}),
      ]);
      expect(JSON.stringify(graph.at(-1))).toContain('likes numbers');
    });
  });

  describe('with server-everything', () => {
    const { compare, governed } = pair(() => [
      connect(servers.everything, 'roots'),
      connect(domain.governed('everything', tapped(servers.everything, told)), 'roots'),
    ]);

    it('sees the same server, with all tools but the one that is not granted', async () => {
      await compare((peer) => peer.about());
      const listed = await compare(async (peer) => {
        const { tools, ...more } = await peer.listTools();
        return { tools: tools.filter(({ name }) => name !== 'get-env'), ...more };
      });
      const { tools } = await governed().listTools();
      expect(tools).toEqual(listed.tools);
      expect(tools.map(({ name }) => name)).toContain('trigger-sampling-request');
    });

    it('calls tools with the same results', async () => {
      await compare(async (peer) => [
        await peer.callTool('echo', { message: 'hello ✓ \u2028 </script>' }),
        await peer.callTool('get-sum', { a: 1.5, b: -2 }),
        await peer.callTool('get-tiny-image', {}),
        await peer.callTool('get-structured-content', { location: 'New York' }),
        await peer.callTool('get-annotated-message', { messageType: 'error', includeImage: true }),
        await peer.callTool('get-resource-links', { count: 3 }),
      ]);
    });

    it('reads the same resources', async () => {
      const { resources } = await compare((peer) => peer.listResources());
      await compare((peer) => peer.listResourceTemplates());
      await compare(async (peer) => {
        const contents: unknown[] = [];
        for (const { uri } of resources) contents.push(await peer.readResource(uri));
        return contents;
      });
      await compare(async (peer) => withoutTimes(await peer.readResource('demo://resource/dynamic/text/7')));
      const [first] = resources;
      await compare(async (peer) => [
        await peer.subscribe(first?.uri ?? ''),
        await peer.unsubscribe(first?.uri ?? ''),
      ]);
    });

    it('gets the same prompts and completions', async () => {
      await compare((peer) => peer.listPrompts());
      await compare(async (peer) => [
        await peer.getPrompt('simple-prompt', {}),
        await peer.getPrompt('args-prompt', { city: 'Zürich', state: 'ZH' }),
        await peer.getPrompt('completable-prompt', { department: 'Sales', name: 'Eve' }),
        await peer.complete('completable-prompt', 'department', 'S'),
      ]);
    });

    it('is asked for samples, input and roots, and its answers arrive', async () => {
      const answers = await compare(async (peer) => [
        await peer.callTool('trigger-sampling-request', { prompt: 'p', maxTokens: 5 }),
        await peer.callTool('trigger-elicitation-request', {}),
        await peer.callTool('get-roots-list', {}),
      ]);
      const text = JSON.stringify(answers);
      for (const answer of ['sampled', 'Ada', 'file:///somewhere']) expect(text).toContain(answer);
    });

    it('sets the logging level and hears log messages', async () => {
      await compare((peer) => peer.setLoggingLevel('debug'));
      await compare((peer) => peer.callTool('toggle-simulated-logging', {}));
      await expect.poll(() => governed().logs.length, { timeout: 8000 }).toBeGreaterThan(0);
      await compare((peer) => peer.callTool('toggle-simulated-logging', {}));
    });

    it('hears progress, and cancels', async () => {
      await compare(async (peer) => {
        const heard: unknown[] = [];
        const result = await peer.callTool(
          'trigger-long-running-operation',
          { duration: 0.3, steps: 3 },
          { onprogress: (progress) => heard.push(progress) },
        );
        // The last one comes with the result, and clients drop what comes after it.
        return { heard: heard.slice(0, 2), result };
      });
      await compare(async (peer) => {
        const abort = new AbortController();
        const call = peer.callTool(
          'trigger-long-running-operation',
          { duration: 20, steps: 100 },
          { signal: abort.signal, onprogress: () => abort.abort('enough') },
        );
        await expect(call).rejects.toThrow();
        return peer.ping();
      });
    });

    it('does not get the environment, and the server is never asked for it', async () => {
      await expect(governed().callTool('get-env', {})).rejects.toMatchObject({
        data: { code: 'scope.tool_not_granted', receipt: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      });
      const asked = readFileSync(told, 'utf8');
      expect(asked).toContain('get-sum');
      expect(asked).not.toContain('get-env');
    });
  });
});

describe('the Inspector CLI', () => {
  const asked: [string, 'fs' | 'memory' | 'everything', string[]][] = [
    ['tools', 'memory', ['tools/list']],
    [
      'a tool call',
      'fs',
      ['tools/call', '--tool-name', 'read_text_file', '--tool-arg', `path=${path('notes', 'a.txt')}`],
    ],
    ['tools but the one that is not granted', 'everything', ['tools/list']],
    [
      'a tool call with numbers',
      'everything',
      ['tools/call', '--tool-name', 'get-sum', '--tool-arg', 'a=1', 'b=2'],
    ],
    ['resources', 'everything', ['resources/list']],
    ['prompts', 'everything', ['prompts/list']],
  ];

  // It would look for a keychain, which a test machine need not have.
  const env = { ...process.env, MCP_INSPECTOR_SECRET_STORE: 'memory' };

  beforeAll(() => {
    const governed = Object.keys(servers).map((name) => [`governed-${name}`, domain.governed(name)]);
    const mcpServers = { ...servers, ...Object.fromEntries(governed) };
    writeFileSync(join(scratch, 'inspector.json'), JSON.stringify({ mcpServers }));
    layOut();
  });

  async function inspect(server: string, method: readonly string[]): Promise<unknown> {
    const options = ['--cli', '--config', join(scratch, 'inspector.json'), '--server', server, '--method'];
    const { stdout } = await run(process.execPath, [INSPECTOR, ...options, ...method], { env });
    return JSON.parse(stdout.slice(stdout.indexOf('{')));
  }

  it.each(asked)(
    'sees the same %s (%s)',
    async (_what, server, method) => {
      const [direct, governed] = await Promise.all([
        inspect(server, method),
        inspect(`governed-${server}`, method),
      ]);
      expect(governed).toEqual(withoutGetEnv(direct));
      expect(Object.keys(governed as object)).not.toEqual([]);
    },
    SLOW,
  );

  it(
    'finds no tool that is not granted',
    async () => {
      const call = ['tools/call', '--tool-name', 'get-env'];
      await expect(inspect('governed-everything', call)).rejects.toMatchObject({
        stderr: expect.stringContaining('tool_not_found'),
      });
    },
    SLOW,
  );

  function withoutGetEnv(listed: unknown): unknown {
    const { tools } = listed as { tools?: { name: string }[] };
    return tools === undefined
      ? listed
      : { ...(listed as object), tools: tools.filter(({ name }) => name !== 'get-env') };
  }
});

describe('the trust domain afterwards', () => {
  it('holds a receipt for everything that happened, in logs that verify', () => {
    const tools = new Map<string, number>();
    const notes = new Set<string | undefined>();
    let denied = 0;
    for (const log of listExecutionLogs(domain.home)) {
      const reader = openSqliteLogReader(domain.home.executionLogFolder(log));
      for (const entry of reader.read(0, reader.head().size)) {
        const decision = parseDecisionReceipt(entry);
        const outcome = isDenial(decision) ? parseOutcomeReceipt(entry) : undefined;
        if (outcome !== undefined && !isDenial(outcome)) notes.add(outcome.note);
        if (isDenial(decision)) continue;
        if (decision.verdict === 'permit') tools.set(decision.tool, (tools.get(decision.tool) ?? 0) + 1);
        else if (decision.tool === 'mcp://everything/tools/get-env') denied += 1;
      }
      reader.close();
    }
    expect([denied, tools.get('mcp://everything/tools/get-env')]).toEqual([SDKS.length, undefined]);
    for (const tool of [
      'tools/get-sum',
      'resources/read',
      'prompts/get',
      'completion/complete',
      'roots/list',
    ]) {
      expect(tools.get(`mcp://everything/${tool}`)).toBeGreaterThanOrEqual(SDKS.length);
    }
    for (const tool of ['sampling/createMessage', 'elicitation/create', 'resources/subscribe']) {
      expect(tools.get(`mcp://everything/${tool}`)).toBe(SDKS.length);
    }
    expect(notes).toContain('cancelled by the client');
    expect(runLogVerify(domain.home)).toMatchObject({ code: 0 });
  });
});
