import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createProof } from '../../src/artifact/index.ts';
import { writ } from '../../src/cli/run.test-support.ts';
import type { JsonObject } from '../../src/codec/index.ts';
import { callOfEvaluation, parseEvaluation } from '../../src/enforce/http/index.ts';
import {
  type EndpointHarness,
  MODERN_META,
  modernHeaders,
  startEndpoint,
} from '../../src/enforce/mcp/http/endpoint.test-support.ts';
import { govern, openWrit, type WritOptions } from '../../src/enforce/sdk/index.ts';
import { unopenedWrit } from '../../src/enforce/sdk/sdk.test-support.ts';
import {
  type ConnectedGovernor,
  connectGovernor,
  programVersion,
  publishPolicy,
  systemClock,
  writeFileDurably,
} from '../../src/governor/index.ts';
import { SigningKey, writeKeyFile } from '../../src/key/index.ts';
import { TestWorkloadApi } from '../../src/mesh/workload-api/workload-api.test-support.ts';
import { buildPolicyBundle } from '../../src/policy/index.ts';
import { DEFAULT_CONFIG } from '../../src/server/config/index.ts';
import { Daemon } from '../../src/server/daemon/daemon.ts';
import { createLogger } from '../../src/server/daemon/logger.ts';
import { createWorkloadProof, DevelopmentIssuer } from '../../src/workload/index.ts';
import { HttpClient } from '../support/daemon-client.ts';
import { must, nowSeconds, TestDomain } from '../support/trust-domain.ts';

const PROD = 'prod.example';
const WEB = `spiffe://${PROD}/ns/shop/web`;
const OTHER = `spiffe://${PROD}/ns/shop/other`;
const EVALUATED = 'authzen://todo/read';
const ECHOED = 'mcp://fs/tools/echo';
const COUNTED = 'sdk://app/count';
const READ_FILE = 'hook://claude-code/Read';

const names = () => ({ witFile: join(folder, 'wit.jwt'), keyFile: join(folder, 'wit.key') });

/** Puts an identity, or half of one, where a program looks for it. */
function hold({ wit, privateKey }: ReturnType<typeof issuer.issueWit>, only?: 'wit' | 'key'): void {
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  if (only !== 'key') writeFileDurably(names().witFile, `${wit}\n`, 0o600);
  if (only !== 'wit') writeFileDurably(names().keyFile, pem, 0o600);
}

const hour = () => ({ nowSeconds: nowSeconds(), ttlSeconds: 3600 });
const issuer = DevelopmentIssuer.create(PROD, hour());
let domain: TestDomain;
let daemon: Daemon;
let folder: string;

beforeAll(async () => {
  domain = await TestDomain.create();
  const { home } = domain;
  folder = mkdtempSync(join(tmpdir(), 'writ-wit-'));
  const tool = (server: string, id: string, name: string) => ({
    ...{ server, id },
    definition: { name, inputSchema: { type: 'object' } },
  });
  const program = unopenedWrit();
  counting(program, () => 0);
  const bundle = buildPolicyBundle({
    id: 'default',
    policies: [{ path: 'all.cedar', text: 'permit (principal, action, resource);' }],
    tools: [
      tool('todo', EVALUATED, 'read'),
      tool('fs', ECHOED, 'echo'),
      tool('claude-code', READ_FILE, 'Read'),
      ...program.manifest().tools.map((one) => ({ server: 'app', ...one })),
    ],
  });
  if (!('digest' in bundle)) throw new Error(JSON.stringify(bundle));
  must(await publishPolicy(home, bundle, { actor: 'test', atSeconds: nowSeconds() }));
  must(writeKeyFile(home.agentKeyFile('worker'), domain.agent));
  const file = join(folder, 'prod.json');
  writeFileSync(file, JSON.stringify(issuer.bundle()), { mode: 0o644 });
  const logger = createLogger(new Writable({ write: (_chunk, _encoding, done) => done() }));
  const config = { ...DEFAULT_CONFIG, workloads: { trustBundles: [{ trustDomain: PROD, file }] } };
  daemon = must(
    await Daemon.start({ home, clock: systemClock, version: programVersion(), logger, drainMs: 0, config }),
  );
});
afterAll(async () => {
  await daemon?.close();
  domain?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** An artifact for whoever is the workload, at one door. */
function artifactFor(tool: string, audience: string, workload = WEB): string {
  return domain.issue({
    tools: { [tool]: {} },
    audiences: [audience],
    writ: { initiator: { id: domain.home.agent('worker'), kind: 'agent' }, workload },
  });
}

type Shown = { wit?: string; wpt?: string };
interface Call {
  readonly pop: string;
  readonly audience: string;
}

/** What a caller shows who has the key that a token confirms, but for what is changed. */
function shown(
  { pop, audience }: Call,
  id = WEB,
  change: Partial<Parameters<typeof createWorkloadProof>[0]> = {},
  by = issuer.issueWit(id, hour()),
): Required<Shown> {
  const proof = { ...by, audience, pop, nowSeconds: nowSeconds(), ...change };
  return { wit: proof.wit, wpt: createWorkloadProof(proof) };
}

/** A proof that was seen on the way, of another call. */
const seen = (audience: string) => shown({ audience, pop: 'e30.e30.c2Vlbg' });

const IMPOSTORS: readonly (readonly [string, (call: Call) => Shown])[] = [
  ['nothing at all', () => ({})],
  ['the identity of another workload', (call) => shown(call, OTHER)],
  [
    'an identity that has expired',
    (call) => shown(call, WEB, {}, issuer.issueWit(WEB, { nowSeconds: nowSeconds() - 600, ttlSeconds: 300 })),
  ],
  [
    'an identity by a stranger who calls itself that trust domain',
    (call) => shown(call, WEB, {}, DevelopmentIssuer.create(PROD, hour()).issueWit(WEB, hour())),
  ],
  ['a token without a proof', (call) => ({ wit: shown(call).wit })],
  ['a proof without a token', (call) => ({ wpt: shown(call).wpt })],
  ['token and proof of another call', ({ audience }) => seen(audience)],
  ['a proof for another enforcement point', (call) => shown({ ...call, audience: `${call.audience}x` })],
  ['a proof that has expired', (call) => shown(call, WEB, { nowSeconds: nowSeconds() - 120 })],
  ['a proof that never ends', (call) => shown(call, WEB, { lifetimeSeconds: 301 })],
  [
    'a proof by another key than the token confirms',
    (call) => shown(call, WEB, { privateKey: issuer.issueWit(WEB, hour()).privateKey }),
  ],
  [
    'the proof of another token of the same workload',
    (call) => ({ ...shown(call), wit: issuer.issueWit(WEB, hour()).wit }),
  ],
];

describe('AuthZEN', () => {
  let client: HttpClient;
  const audience = () => domain.home.audience('authzen');
  beforeAll(() => {
    client = new HttpClient(daemon.socketPath);
  });
  afterAll(() => client.close());

  const reading = (id: string): JsonObject => ({
    ...{ subject: { type: 'user', id: 'u1' }, action: { name: 'read' }, resource: { type: 'todo', id } },
  });

  /** @param signedFor what the proof of possession is of. */
  async function ask(
    show: (call: Call) => Shown,
    request = reading('1'),
    signedFor = request,
  ): Promise<{ answer: JsonObject; again: () => Promise<JsonObject> }> {
    const chain = [artifactFor(EVALUATED, audience())];
    const call = callOfEvaluation(must(parseEvaluation(signedFor)));
    const proof = { leaf: chain, signer: domain.agent, iatSeconds: nowSeconds(), audience: audience() };
    const pop = createProof({ ...proof, ...call });
    const presentation = { aat_chain: chain, aat_pop: pop, ...show({ pop, audience: audience() }) };
    const body = { ...request, context: { writ_presentation: presentation } };
    const again = async () =>
      JSON.parse((await client.postJson('/access/v1/evaluation', body)).text) as JsonObject;
    return { answer: await again(), again };
  }

  const denied = (code: string) => ({ decision: false, context: { writ: { code } } });

  test('permits the workload that the artifact names, once for each proof', async () => {
    const { answer, again } = await ask(shown);
    expect(answer).toMatchObject({ decision: true });
    expect(await again()).toMatchObject(denied('replay.detected'));
  });

  test.each(IMPOSTORS)('denies who shows %s', async (_what, show) => {
    expect((await ask(show)).answer).toMatchObject(denied('identity.mismatch'));
  });

  test('denies what was proven of another resource or action', async () => {
    for (const signedFor of [reading('2'), { ...reading('1'), action: { name: 'write' } }]) {
      expect((await ask(shown, reading('1'), signedFor)).answer).toMatchObject(
        denied('identity.proof_invalid'),
      );
    }
  });
});

describe('MCP over HTTP', () => {
  let endpoint: EndpointHarness;
  let connected: ConnectedGovernor;
  const { home } = { home: () => domain.home };

  beforeAll(async () => {
    const opened = await connectGovernor({ home: home(), name: 'fs', components: [] });
    connected = must(opened) as ConnectedGovernor;
    endpoint = await startEndpoint({
      presentations: { stands: () => true },
      real: {
        governor: connected.governor,
        pinnedDigest: (tool) => connected.pinnedDigest(tool),
        onDefinitions: (tools) => connected.setTools(tools),
      },
    });
  });
  afterAll(async () => {
    await endpoint?.close();
    await connected?.close();
  });

  async function call(show: (call: Call) => Shown, args: JsonObject = { x: 1 }, signedFor = args) {
    const { audience } = connected;
    const chain = [artifactFor(ECHOED, audience)];
    const proof = { leaf: chain, signer: domain.agent, iatSeconds: nowSeconds(), audience };
    const pop = createProof({ ...proof, tool: ECHOED, args: signedFor });
    const presentation = { aat_chain: chain, aat_pop: pop, ...show({ pop, audience }) };
    const params = {
      ...{ name: 'echo', arguments: args },
      _meta: { ...MODERN_META, 'writ/presentation': presentation },
    };
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
    const post = async () => (await endpoint.post(message, modernHeaders('tools/call', 'echo'))).json;
    const before = endpoint.calls().length;
    const answer = await post();
    return { answer, post, ran: endpoint.calls().length - before };
  }

  const denied = (code: string) => ({ error: { data: { code } } });

  test('permits the workload that the artifact names, once for each proof, and hands on nothing of it', async () => {
    const { answer, post, ran } = await call(shown);
    expect([answer, ran]).toMatchObject([{ result: {} }, 1]);
    expect(await post()).toMatchObject(denied('replay.detected'));
    expect(endpoint.calls()).toHaveLength(1);
    expect(endpoint.upstreams.flatMap(({ lines }) => lines).join('')).not.toMatch(/wit|wpt|aat_/);
  });

  test.each(IMPOSTORS)('denies who shows %s, and the tool is not called', async (_what, show) => {
    const { answer, ran } = await call(show);
    expect([answer, ran]).toMatchObject([denied('identity.mismatch'), 0]);
  });

  test('writ mcp connect shows the identity in its files with each call, and sends on what it cannot show', async () => {
    const artifact = join(folder, 'fs.json');
    writeFileSync(artifact, JSON.stringify({ aat_chain: [artifactFor(ECHOED, connected.audience)] }));
    const { witFile, keyFile } = names();
    const meta = { _meta: MODERN_META };
    const stdin = [1, 2]
      .map((id) => ({ id, name: 'echo', arguments: { x: id }, ...meta }))
      .map(({ id, ...params }) => ({ jsonrpc: '2.0', id, method: 'tools/call', params }))
      .map((message) => `${JSON.stringify(message)}\n`)
      .join('');
    const connect = async (...more: string[]) => {
      const before = endpoint.calls().length;
      const url = `http://127.0.0.1:${endpoint.port}/mcp`;
      const key = domain.home.agentKeyFile('worker');
      const { out, err } = await writ(
        { cwd: folder, stdin: Buffer.from(stdin) },
        ...['mcp', 'connect', url, '--artifact', artifact, '--key', key, ...more],
      );
      const answers = out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { error?: { data?: { code?: string } } });
      const codes = answers.map(({ error }) => (error === undefined ? 'permit' : error.data?.code));
      return { codes, err, ran: endpoint.calls().length - before };
    };
    const files = ['--wit', witFile, '--wit-key', keyFile];
    hold(issuer.issueWit(WEB, hour()));
    expect(await connect(...files)).toMatchObject({ codes: ['permit', 'permit'], ran: 2 });
    const denied = { codes: ['identity.mismatch', 'identity.mismatch'], ran: 0 };
    expect(await connect()).toMatchObject(denied);
    hold(issuer.issueWit(OTHER, hour()));
    expect(await connect(...files)).toMatchObject(denied);
    hold(issuer.issueWit(WEB, hour()), 'key');
    expect(await connect(...files)).toMatchObject({
      ...denied,
      err: expect.stringContaining('the key is not the one that the token confirms'),
    });
    expect(
      (await writ({ cwd: folder }, 'mcp', 'connect', 'http://127.0.0.1:1/', '--wit', witFile)).code,
    ).toBe(1);
  });

  test('writ mcp connect leaves no stream of the Workload API open where the key is another’s: it ends', async () => {
    const [artifact, key] = [join(folder, 'fs.json'), join(folder, 'stranger.jwk')];
    writeFileSync(artifact, JSON.stringify({ aat_chain: [artifactFor(ECHOED, connected.audience)] }));
    must(writeKeyFile(key, SigningKey.generate()));
    const api = await TestWorkloadApi.start();
    try {
      const ended = new Promise((resolve) => {
        api.answers.FetchWITSVID = (stream) => {
          stream.on('cancelled', resolve);
          stream.write({ svids: [] });
        };
      });
      const url = `http://127.0.0.1:${endpoint.port}/mcp`;
      const held = ['--artifact', artifact, '--key', key, '--workload-api', api.endpoint];
      expect(await writ({ cwd: folder }, 'mcp', 'connect', url, ...held)).toMatchObject({
        ...{ code: 1, err: expect.stringContaining('not the holder key') },
      });
      await ended;
    } finally {
      api.close();
    }
  });

  test('denies what was proven of other arguments', async () => {
    const { answer, ran } = await call(shown, { x: 1 }, { x: 2 });
    expect([answer, ran]).toMatchObject([denied('identity.proof_invalid'), 0]);
  });
});

function counting(writ: Parameters<typeof govern>[0], count: () => number) {
  return govern(writ, { name: 'count', inputSchema: { type: 'object', properties: {} } }, count);
}

describe('a program with openWrit', () => {
  let counted = 0;
  beforeAll(() => {
    const chain = [artifactFor(COUNTED, domain.home.audience('app'))];
    writeFileDurably(domain.home.artifactFile('worker-app'), JSON.stringify({ aat_chain: chain }));
  });
  beforeEach(() => {
    counted = 0;
  });

  async function open(options: Partial<WritOptions>) {
    const home = domain.home.folder;
    const writ = await openWrit({
      ...{ home, name: 'app', daemon: 'running' as const, measure: async () => [] },
      ...options,
    });
    const count = counting(writ, () => {
      counted += 1;
      return counted;
    });
    const code = () => count({}).then(String, (error: { code?: string }) => error.code);
    return { writ, code };
  }

  test('shows the identity in its files, and the one that takes its place', async () => {
    hold(issuer.issueWit(WEB, hour()));
    const { writ: program, code } = await open({ workload: names() });
    try {
      expect([await code(), await code()]).toEqual(['1', '2']);
      // While only half of a pair is replaced, the former one serves on.
      const next = issuer.issueWit(OTHER, hour());
      hold(next, 'wit');
      expect(await code()).toBe('3');
      hold(next, 'key');
      expect([await code(), counted]).toEqual(['identity.mismatch', 3]);
      hold(issuer.issueWit(WEB, { nowSeconds: nowSeconds() - 600, ttlSeconds: 300 }));
      expect([await code(), counted]).toEqual(['identity.mismatch', 3]);
      hold(issuer.issueWit(WEB, hour()));
      expect(await code()).toBe('4');
    } finally {
      await program.close();
    }
  });

  test('shows what the Workload API gives it, of several the one its artifact names', async () => {
    const api = await TestWorkloadApi.start();
    api.giveWits(() => [OTHER, WEB].map((id) => ({ id, ...issuer.issueWit(id, hour()) })));
    const former = process.env.SPIFFE_ENDPOINT_SOCKET;
    process.env.SPIFFE_ENDPOINT_SOCKET = api.endpoint;
    const { writ, code } = await open({}).finally(() => {
      if (former === undefined) delete process.env.SPIFFE_ENDPOINT_SOCKET;
      else process.env.SPIFFE_ENDPOINT_SOCKET = former;
    });
    const nobody = await open({ workload: 'none' });
    try {
      expect(await code()).toBe('1');
      expect([await nobody.code(), counted]).toEqual(['identity.mismatch', 1]);
    } finally {
      await writ.close();
      await nobody.writ.close();
      api.close();
    }
  });

  test('runs nothing where its workload cannot be told, and says why on record', async () => {
    const { writ } = await open({ workload: { endpoint: `unix://${folder}/none.sock` } });
    try {
      const count = counting(writ, () => 1);
      await expect(count({})).rejects.toMatchObject({ code: 'identity.mismatch' });
    } finally {
      await writ.close();
    }
  });
});

describe('the hook of Claude Code', () => {
  test('shows the identity in its files, and blocks the tool where that is not the one', async () => {
    const chain = [artifactFor(READ_FILE, domain.home.audience('claude-code'))];
    writeFileDurably(domain.home.artifactFile('worker-claude-code'), JSON.stringify({ aat_chain: chain }));
    const { witFile, keyFile } = names();
    const use = { hook_event_name: 'PreToolUse', tool_name: 'Read', tool_input: { file_path: '/work/a' } };
    const hook = async (...more: string[]) => {
      const home = domain.home.folder;
      const stdin = JSON.stringify(use);
      const { code, out } = await writ(
        { cwd: folder, stdin },
        '--home',
        home,
        'hook',
        'claude-code',
        ...more,
      );
      const decision = code === 0 ? JSON.parse(out).hookSpecificOutput.permissionDecision : 'none';
      return [code, decision];
    };
    const files = ['--wit', witFile, '--wit-key', keyFile];
    hold(issuer.issueWit(WEB, hour()));
    expect(await hook(...files)).toEqual([0, 'allow']);
    expect(await hook()).toEqual([0, 'deny']);
    hold(issuer.issueWit(OTHER, hour()));
    expect(await hook(...files)).toEqual([0, 'deny']);
    expect(await hook('--wit', witFile)).toEqual([2, 'none']);
  });
});
