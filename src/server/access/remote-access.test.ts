import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClientOptions } from 'ws';
import { TestAuthority } from '../../../test/support/certificates.ts';
import { TestSession } from '../../../test/support/test-session.ts';
import { must, nowSeconds, TestDomain } from '../../../test/support/trust-domain.ts';
import { isDenial } from '../../denial/index.ts';
import type { Role } from '../../governance/index.ts';
import { admitCaller, dismissCaller, systemClock } from '../../governor/index.ts';
import { DEFAULT_CONFIG, type ListenConfig } from '../config/index.ts';
import { Daemon } from '../daemon/daemon.ts';
import { createLogger } from '../daemon/logger.ts';
import { newApiToken } from './api-token.ts';
import { tokenCallerId } from './caller.ts';

let domain: TestDomain;
let daemon: Daemon;
let folder: string;
let authority: TestAuthority;
let logged = '';
const logger = createLogger(
  new Writable({
    write(chunk, _encoding, done) {
      logged += String(chunk);
      done();
    },
  }),
);

async function start(listen: ListenConfig, limits = {}): Promise<Daemon> {
  const config = { ...DEFAULT_CONFIG, listen, limits: { ...DEFAULT_CONFIG.limits, ...limits } };
  const { home } = domain;
  return must(await Daemon.start({ home, clock: systemClock, version: '0', logger, drainMs: 0, config }));
}

const LISTEN = { address: '127.0.0.1', port: 0, allowInsecureLoopback: false };

beforeAll(async () => {
  domain = await TestDomain.create();
  folder = mkdtempSync(join(tmpdir(), 'writ-tls-'));
  authority = new TestAuthority(folder, 'authority');
  const server = authority.issue('server', 'IP:127.0.0.1');
  daemon = await start(
    {
      ...LISTEN,
      tls: {
        ...{ certificateFile: server.cert, key: { file: server.key }, minVersion: 'TLSv1.2' },
        clientCaFile: authority.certificateFile,
        callers: [{ id: 'spiffe://local/ops/ada', role: 'auditor' }],
      },
    },
    { requestsPerSecond: 1000, anonymousPerSecond: 1000, requestTimeoutSeconds: 1, headersTimeoutSeconds: 1 },
  );
});
afterAll(async () => {
  await daemon.close();
  domain.dispose();
  rmSync(folder, { recursive: true, force: true });
});

async function admit(name: string, role: Role, expSeconds?: number): Promise<string> {
  const { token, hash } = newApiToken();
  const caller = tokenCallerId(domain.home.domain, name);
  const by = { actor: 'spiffe://local/user/test', atSeconds: nowSeconds() };
  const admitted = { caller, role, hash, ...(expSeconds === undefined ? {} : { expSeconds }) };
  // Through the daemon, as "writ token new" does.
  must(await admitCaller(domain.home, admitted, by));
  return token;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

function call(path: string, options: Record<string, unknown> = {}, body?: string): Promise<Answer> {
  const url = new URL(path, daemon.url);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { ca: readFileSync(authority.certificateFile), agent: false, ...options },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, body: text });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

test('a token says who calls, until it is dismissed or has expired', async () => {
  const token = await admit('grafana', 'auditor');
  expect(await call('/v1/status', bearer(token))).toMatchObject({ status: 200 });
  expect(await call('/v1/status', bearer(await admit('old', 'auditor', nowSeconds() - 1)))).toMatchObject({
    status: 401,
  });
  const caller = tokenCallerId(domain.home.domain, 'grafana');
  await dismissCaller(domain.home, { caller }, { actor: 'urn:test', atSeconds: nowSeconds() });
  const refused = await call('/v1/status', bearer(token));
  expect(refused).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer realm="writ"' } });
});

test('no token is at rest, nor in the daemon’s log: its hash is', async () => {
  const token = await admit('resting', 'auditor');
  await call('/v1/status', bearer(token));
  const database = readFileSync(join(domain.home.governanceFolder, 'log.sqlite'));
  const written = readFileSync(join(domain.home.governanceFolder, 'log.sqlite-wal'));
  expect(database.includes(token) || written.includes(token)).toBe(false);
  expect(logged).not.toContain(token);
});

test('who says nothing, or something that does not count, is not known', async () => {
  const token = await admit('twice', 'auditor');
  const wrong: readonly [string, Record<string, unknown>][] = [
    ['/v1/status', {}],
    ['/v1/status', bearer(newApiToken().token)],
    ['/v1/status', bearer(`${token}x`)],
    ['/v1/status', { headers: { authorization: `Basic ${token}` } }],
    ['/v1/status', { headers: { Authorization: [`Bearer ${token}`, `Bearer ${token}`] } }],
    [`/v1/status?access_token=${token}`, {}],
    [`/v1/status?access_token=${token}`, bearer(token)],
    // What a proxy may say is nothing that was authenticated.
    ['/v1/status', { headers: { 'x-forwarded-user': 'root', 'x-writ-caller': 'owner' } }],
  ];
  for (const [path, options] of wrong) {
    expect(await call(path, options), JSON.stringify([path, options])).toMatchObject({ status: 401 });
  }
});

test('what is for the Unix socket alone is not there, whatever the role', async () => {
  const before = daemon.status().governance.size;
  const token = await admit('root', 'operator');
  const events = [
    { type: 'writ/governance@v1', event: 'revoked', at: 1, actor: 'urn:x', handle: 'issuer', value: 'urn:y' },
  ];
  const answer = await call(
    '/v1/governance/events',
    { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } },
    JSON.stringify({ events }),
  );
  expect([404, 405]).toContain(answer.status);
  expect(daemon.status().governance.size).toBe(before + 1);
});

test('a client certificate says who calls, by its one URI name', async () => {
  const withCertificate = ({ cert, key }: { cert: string; key: string }) => ({
    cert: readFileSync(cert),
    key: readFileSync(key),
  });
  const ada = withCertificate(authority.issue('ada', 'URI:spiffe://local/ops/ada'));
  expect(await call('/v1/status', ada)).toMatchObject({ status: 200 });
  const eve = withCertificate(authority.issue('eve', 'URI:spiffe://local/ops/eve'));
  expect(await call('/v1/status', eve)).toMatchObject({ status: 401 });
  const both = withCertificate(
    authority.issue('both', 'URI:spiffe://local/ops/ada,URI:spiffe://local/ops/eve'),
  );
  expect(await call('/v1/status', both)).toMatchObject({ status: 401 });
  // A name of another kind that looks like one.
  const named = withCertificate(authority.issue('named', 'DNS:spiffe.local,email:ada@spiffe.local'));
  expect(await call('/v1/status', named)).toMatchObject({ status: 401 });
  const stranger = new TestAuthority(folder, 'stranger').issue('mallory', 'URI:spiffe://local/ops/ada');
  expect(await call('/v1/status', withCertificate(stranger))).toMatchObject({ status: 401 });
  const token = await admit('second', 'operator');
  expect(await call('/v1/status', { ...ada, ...bearer(token) })).toMatchObject({ status: 401 });
});

test('an enforcement point opens sessions in its own name alone, and nobody else uses them', async () => {
  const post = (token: string) => ({
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  const fs = await admit('fs', 'enforcement-point');
  const open = (name: string, token: string) => connectSession(name, { headers: bearer(token).headers });
  expect(await open('mail', fs)).toBe(403);
  const evaluation = JSON.stringify({ subject: {}, action: {}, resource: {} });
  for (const path of ['/authzen/mail/access/v1/evaluation', '/access/v1/evaluation']) {
    expect(await call(path, post(fs), evaluation), path).toMatchObject({ status: 403 });
  }
  expect(await open('fs', await admit('curious', 'auditor'))).toBe(403);
  expect(await open('fs', 'unknown')).toBe(401);
  expect(daemon.status().sessions).toBe(0);

  const session = await open('fs', fs);
  if (typeof session === 'number') throw new Error(`not connected: ${session}`);
  const measuredAtSeconds = nowSeconds();
  await session.ask({ id: 1, open: { components: [], measuredAtSeconds } });
  expect(daemon.status().sessions).toBe(1);
  const ask = { tool: 'mcp://fs/tools/read_file', args: {} };
  expect(await session.ask({ id: 2, ask })).toMatchObject({
    ...{ id: 2, status: 401 },
    body: { code: 'artifact.missing', receipt: expect.any(Number) },
  });

  // A token that is dismissed ends what was connected with it, before anything is decided.
  must(await dismissCaller(domain.home, { caller: tokenCallerId(domain.home.domain, 'fs') }, BY()));
  session.send({ id: 3, ask });
  expect(await session.closed).toBe(1008);
  expect(session.received.map(({ id }) => id)).toEqual([1, 2]);
});

const BY = () => ({ actor: 'spiffe://local/user/test', atSeconds: nowSeconds() });

/** @returns the status where no session is to be had. */
function connectSession(name: string, options: ClientOptions) {
  const url = new URL(`/v1/enforcement-points/${name}/session`, daemon.url?.replace(/^http/, 'ws'));
  return TestSession.connect(url.href, { ca: readFileSync(authority.certificateFile), ...options });
}

function raw(bytes: string): Promise<string> {
  const { port } = new URL(daemon.url ?? '');
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
    socket.write(bytes);
  });
}

test('plain HTTP gets nothing from a TLS listener', async () => {
  expect(await raw('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')).not.toContain('ok');
});

test('without TLS, only loopback is listened on, and only on demand', async () => {
  const other = await TestDomain.create();
  const attempt = (listen: ListenConfig) =>
    Daemon.start({
      ...{ home: other.home, clock: systemClock, version: '0', logger, drainMs: 0 },
      config: { ...DEFAULT_CONFIG, listen },
    });
  expect(await attempt(LISTEN)).toMatchObject({ detail: expect.stringContaining('listen.tls is missing') });
  const everywhere = { ...LISTEN, address: '0.0.0.0', allowInsecureLoopback: true };
  expect(await attempt(everywhere)).toMatchObject({
    detail: expect.stringContaining('listen.tls is missing'),
  });
  const plain = await attempt({ ...LISTEN, allowInsecureLoopback: true });
  if (isDenial(plain)) throw new Error(plain.detail);
  const status = await new Promise((resolve) =>
    plainRequest(new URL('/healthz', plain.url), { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).end(),
  );
  expect(status).toBe(200);
  const { port } = new URL(plain.url ?? '');
  const send = (text: string) =>
    new Promise<string>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1');
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk.toString('latin1');
      });
      socket.on('close', () => resolve(answer));
      socket.on('error', () => undefined);
      socket.write(text);
    });
  // Two lengths, a length and chunks, a bare line feed in a header: refused before anything is routed.
  const head = 'POST /v1/governance/events HTTP/1.1\r\nhost: x\r\n';
  const smuggled = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n';
  expect(await send(`${head}content-length: 0\r\ncontent-length: 38\r\n\r\n${smuggled}`)).toMatch(
    /^HTTP\/1.1 400/,
  );
  expect(
    await send(`${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`),
  ).toMatch(/^HTTP\/1.1 400/);
  expect(await send(`GET /healthz HTTP/1.1\r\nhost: x\nx: y\r\n\r\n`)).not.toContain('200');
  await plain.close();
  other.dispose();
}, 20_000);
