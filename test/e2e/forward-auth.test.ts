import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProof } from '../../src/artifact/index.ts';
import { type JsonObject, sha256 } from '../../src/codec/index.ts';
import { callOfRequest, presentationHeader } from '../../src/enforce/http/index.ts';
import { publishPolicy, readExecution } from '../../src/governor/index.ts';
import { buildPolicyBundle } from '../../src/policy/index.ts';
import type { Daemon } from '../../src/server/daemon/index.ts';
import { openSqliteLogReader } from '../../src/storage/index.ts';
import { HttpClient, startDaemon } from '../support/daemon-client.ts';
import { installDebianPackages, tellSkipped } from '../support/debian-packages.ts';
import { must, nowSeconds, TestDomain } from '../support/trust-domain.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/forward-auth', import.meta.url));
const HOST = 'api.example.test';
const START_MS = 15_000;

type ProxyName = 'nginx' | 'caddy';
const PROXIES: readonly ProxyName[] = ['nginx', 'caddy'];
const isThere = (program: string) =>
  spawnSync(program, [program === 'nginx' ? '-v' : 'version']).status === 0;
if (!PROXIES.every(isThere)) installDebianPackages('nginx-light', 'caddy');
const present = PROXIES.filter((name) => {
  if (isThere(name)) return true;
  tellSkipped(`forward-auth behind ${name}`, `it is not installed: apt-get install ${name}`);
  return false;
});

interface Proxy {
  readonly process: ChildProcess;
  readonly client: HttpClient;
  readonly port: number;
}

let domain: TestDomain;
let daemon: Daemon;
let upstream: Server;
let token: string;
const proxies = new Map<ProxyName, Proxy>();
/** What arrived at the upstream: a line each. */
const arrived: string[] = [];
const headersArrived: NodeJS.Dict<string | string[]>[] = [];

beforeAll(async () => {
  if (present.length === 0) return;
  domain = await TestDomain.create();
  must(await publishPolicy(domain.home, bundle(), { actor: 'test', atSeconds: nowSeconds() }));
  token = domain.issue({
    tools: {
      'http://web/GET': {
        host: { constraint_type: 'exact', value: HOST },
        path: { constraint_type: 'path_containment', root: '/public' },
        query: { constraint_type: 'wildcard' },
        content_digest: { constraint_type: 'exact', value: '' },
      },
      'http://web/POST': {},
    },
    audiences: [domain.home.audience('web')],
  });
  upstream = createServer((request, response) => {
    arrived.push(`${request.method} ${request.headers.host} ${request.url}`);
    headersArrived.push(request.headers);
    request.resume();
    request.once('end', () => response.end('from the upstream'));
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  daemon = await startDaemon(domain.home);
  for (const name of present) proxies.set(name, await startProxy(name));
});

afterAll(async () => {
  for (const { process, client } of proxies.values()) {
    client.close();
    process.kill('SIGTERM');
    if (process.exitCode === null) await new Promise((resolve) => process.once('exit', resolve));
  }
  await daemon?.close();
  upstream?.closeAllConnections();
  upstream?.close();
  domain?.dispose();
});

function bundle() {
  const tool = (method: string, annotations: JsonObject) => ({
    server: 'web',
    id: `http://web/${method}`,
    definition: {
      name: method,
      inputSchema: {
        type: 'object',
        properties: {
          host: { type: 'string' },
          path: { type: 'string' },
          query: { type: 'string' },
          content_digest: { type: 'string' },
        },
        required: ['host', 'path', 'query', 'content_digest'],
      },
      annotations,
    },
  });
  const built = buildPolicyBundle({
    id: 'web',
    policies: [
      {
        path: 'web.cedar',
        text: `permit (principal, action, resource == Writ::Server::"web") when { principal.enrolled };
@id("no-secrets") forbid (principal, action, resource) when { context.input.path like "/public/secret*" };
@id("bodies-are-named") forbid (principal, action in [Writ::Action::"write", Writ::Action::"destructive"], resource)
unless { context.input.content_digest != "" };`,
      },
    ],
    tools: [
      tool('GET', { readOnlyHint: true }),
      tool('POST', { readOnlyHint: false, destructiveHint: false }),
    ],
  });
  if (!('digest' in built)) throw new Error(JSON.stringify(built));
  return built;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The example that the guide shows, with this machine's paths and ports. */
async function startProxy(name: ProxyName): Promise<Proxy> {
  const port = await freePort();
  const folder = join(domain.folder, name);
  mkdirSync(folder, { recursive: true });
  const { port: upstreamPort } = upstream.address() as AddressInfo;
  const example = readFileSync(join(EXAMPLES, name === 'nginx' ? 'nginx.conf' : 'Caddyfile'), 'utf8')
    .replaceAll('/home/you/writ/.writ/run/writ.sock', daemon.socketPath)
    .replaceAll('8080', String(port))
    .replaceAll('9000', String(upstreamPort));
  const file = join(folder, name === 'nginx' ? 'nginx.conf' : 'Caddyfile');
  writeFileSync(file, name === 'nginx' ? nginxConfiguration(folder, example) : example);
  const args = name === 'nginx' ? ['-p', folder, '-c', file, '-e', 'error.log'] : ['run', '--config', file];
  const environment = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const child = spawn(name, args, { stdio: 'ignore', env: environment });
  await untilListening(port);
  return { process: child, client: new HttpClient(port), port };
}

function nginxConfiguration(folder: string, example: string): string {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events {}
http {
access_log off;
${paths.map((path) => `${path}_temp_path ${folder}/${path};`).join('\n')}
${example}
}`;
}

async function untilListening(port: number): Promise<void> {
  const until = performance.now() + START_MS;
  while (performance.now() < until) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nothing listens on port ${port}`);
}

interface Asked {
  readonly method?: string;
  readonly target?: string;
  readonly host?: string;
  readonly contentDigest?: string;
}

/** The presentation of who signs for this request. */
function presentationFor({
  method = 'GET',
  target = '/public/a',
  host = HOST,
  contentDigest,
}: Asked): string {
  const call = must(callOfRequest({ point: 'web', method, target, host, contentDigest }));
  const proof = createProof({
    leaf: token,
    signer: domain.agent,
    ...call,
    iatSeconds: nowSeconds(),
    audience: domain.home.audience('web'),
  });
  return presentationHeader({ aat_chain: [token], aat_pop: proof });
}

it.each(['nginx.conf', 'Caddyfile'])('the guide shows %s as it is tried here', (file) => {
  const guide = readFileSync(join(EXAMPLES, '../../docs/forward-auth.md'), 'utf8');
  expect(guide).toContain(readFileSync(join(EXAMPLES, file), 'utf8'));
});

describe.each(present)('behind %s', (name) => {
  async function ask(
    { method = 'GET', target = '/public/a', host = HOST, contentDigest }: Asked,
    presentation?: string,
    more: Record<string, string> = {},
  ) {
    const { client } = proxies.get(name) as Proxy;
    const before = arrived.length;
    const { status, headers, text } = await client.send(method, target, {
      headers: {
        host,
        ...(presentation === undefined ? {} : { 'writ-presentation': presentation }),
        ...(contentDigest === undefined ? {} : { 'content-digest': contentDigest }),
        ...more,
      },
      ...(method === 'POST' ? { body: 'body' } : {}),
    });
    return {
      status,
      reason: headers['writ-reason'],
      execution: headers['writ-execution'],
      text,
      arrived: arrived.slice(before),
    };
  }

  /** The target as it is, which no client library would send. */
  async function askRaw(target: string, presentation: string, host = HOST) {
    const { port } = proxies.get(name) as Proxy;
    const before = arrived.length;
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let text = '';
      socket.setEncoding('latin1');
      socket.on('data', (chunk) => (text += chunk));
      socket.once('error', reject);
      socket.once('close', () => resolve(text));
      socket.write(
        Buffer.from(
          `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nWrit-Presentation: ${presentation}\r\nConnection: close\r\n\r\n`,
          'latin1',
        ),
      );
    });
    return {
      status: Number(answer.split(' ')[1]),
      reason: /^writ-reason: (.*)\r$/im.exec(answer)?.[1],
      arrived: arrived.slice(before),
    };
  }

  it('lets through what is permitted, once, with its receipt, and without the presentation', async () => {
    const asked = { target: '/public/a?x=1&y=%20' };
    const presentation = presentationFor(asked);
    const first = await ask(asked, presentation, { 'writ-execution': 'forged' });
    expect(first).toMatchObject({ status: 200, text: 'from the upstream' });
    expect(first.arrived).toEqual([`GET ${HOST} /public/a?x=1&y=%20`]);
    const passed = headersArrived.at(-1);
    expect(passed?.['writ-presentation']).toBeUndefined();
    const execution = String(passed?.['writ-execution']);
    const reader = openSqliteLogReader(domain.home.executionLogFolder('web'));
    expect(readExecution(reader, execution)?.decision).toMatchObject({
      verdict: 'permit',
      tool: 'http://web/GET',
    });
    reader.close();
    expect(await ask(asked, presentation)).toMatchObject({
      status: 401,
      reason: 'replay.detected',
      arrived: [],
    });
  });

  it.each<[string, Asked, Asked]>([
    ['method', { method: 'GET' }, { method: 'POST' }],
    ['path', {}, { target: '/public/b' }],
    ['query', {}, { target: '/public/a?x=1' }],
    ['host', {}, { host: 'other.example.test' }],
    [
      'digest',
      { method: 'POST', contentDigest: digestOf('body') },
      { method: 'POST', contentDigest: digestOf('x') },
    ],
    ['no digest', { method: 'POST', contentDigest: digestOf('body') }, { method: 'POST' }],
  ])('a presentation serves for no other %s', async (_what, signed, sent) => {
    const got = await ask(sent, presentationFor(signed));
    expect(got).toMatchObject({ status: 401, reason: 'identity.proof_invalid', arrived: [] });
  });

  it.each<[string, Asked, string]>([
    ['outside the artifact', { target: '/private' }, 'scope.arguments_not_granted'],
    ['that policy forbids', { target: '/public/secret-1' }, 'policy.forbidden'],
    ['with a body that nobody named', { method: 'POST' }, 'policy.forbidden'],
    ['with a method not granted', { method: 'DELETE' }, 'scope.tool_not_granted'],
  ])('a request %s is denied', async (_what, asked, reason) => {
    expect(await ask(asked, presentationFor(asked))).toMatchObject({ status: 403, reason, arrived: [] });
  });

  it('without or with a broken presentation nothing passes', async () => {
    expect(await ask({})).toMatchObject({ status: 401, reason: 'artifact.missing', arrived: [] });
    expect(await ask({}, 'e30=')).toMatchObject({ status: 401, reason: 'artifact.malformed', arrived: [] });
    expect(await ask({}, 'e30')).toMatchObject({ status: 401, reason: 'artifact.missing', arrived: [] });
  });

  it('headers of the client do not speak for the proxy', async () => {
    const smuggled = {
      'x-original-uri': '/public/a',
      'x-original-method': 'GET',
      'x-original-host': HOST,
      'x-forwarded-uri': '/public/a',
      'x-forwarded-method': 'GET',
      'x-forwarded-host': HOST,
    };
    for (const sent of [{ target: '/public/secret-1' }, { target: '/private' }, { method: 'DELETE' }]) {
      const got = await ask(sent, presentationFor({}), smuggled);
      expect(got).toMatchObject({ status: 401, reason: 'identity.proof_invalid', arrived: [] });
    }
    const elsewhere = await ask({ host: 'other.example.test' }, presentationFor({}), smuggled);
    expect(elsewhere).toMatchObject({ status: 401, arrived: [] });
  });

  it.each([
    '/public/../private',
    '/public/%2e%2e/private',
    '/public/%2E%2E/private',
    '/public/..%2fprivate',
    '/public//secret-1',
    '//public/secret-1',
    '/public/%73ecret-1',
    '/public/./secret-1',
    '/public/;/secret-1',
    '/public/..;/private',
    '/public/secret%2D1',
    '/public/a?',
    '/public/a%00',
    '/public/a%25%32%65',
    '/public/a%5c..%5csecret-1',
    '/public/a\\..\\secret-1',
    '/public/%ff',
    '/public/a#/../secret-1',
    `http://${HOST}//public/secret-1`,
  ])('an ambiguous target never passes: %s', async (target) => {
    // Whatever a presentation says: this one is right for the path that the target could be taken for.
    const got = await askRaw(target, presentationFor({ target: '/public/secret-1' }));
    expect(got.arrived).toEqual([]);
    // The proxy may refuse by itself; where it asked, the code is ours.
    expect([400, 401, 403, 404, 308]).toContain(got.status);
    if (got.status === 401 || got.status === 403) {
      expect(['request.malformed', 'identity.proof_invalid', 'policy.forbidden']).toContain(got.reason);
    }
  });

  it('two spellings of a host are not one', async () => {
    const got = await askRaw('/public/a', presentationFor({}), HOST.toUpperCase());
    expect(got).toEqual({ status: 403, reason: 'request.malformed', arrived: [] });
  });
});

it.runIf(present.length > 0)('where no daemon answers nothing passes', async () => {
  await daemon.close();
  const before = arrived.length;
  for (const { client } of proxies.values()) {
    const headers = { host: HOST, 'writ-presentation': presentationFor({}) };
    expect((await client.send('GET', '/public/a', { headers })).status).toBeGreaterThanOrEqual(500);
  }
  expect(arrived.length).toBe(before);
});

function digestOf(body: string): string {
  return `sha-256=:${Buffer.from(sha256(Buffer.from(body))).toString('base64')}:`;
}
