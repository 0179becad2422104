import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiDaemon } from '../../../test/support/api-daemon.ts';
import { HttpClient } from '../../../test/support/daemon-client.ts';
import { nowSeconds, READ, WRITE } from '../../../test/support/trust-domain.ts';
import { readToken } from '../../artifact/index.ts';
import { encodeBase64url, type JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { enrollAgent } from '../../governor/index.ts';
import { SigningKey } from '../../key/index.ts';
import { DEFAULT_CONFIG } from '../config/index.ts';

const ISSUER = 'https://writ.example';
const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const FS = 'spiffe://test.local/gateway/fs';
const WORKER = 'spiffe://test.local/agent/worker';
const inside = (root: string) => ({ path: { constraint_type: 'path_containment', root } });

let running: ApiDaemon;
let count = 0;

beforeAll(async () => {
  const grant = {
    agent: WORKER,
    tools: { [READ]: inside('/work') },
    audiences: [FS],
    maxLifetimeSeconds: 600,
  };
  running = await ApiDaemon.start({
    listen: { address: '127.0.0.1', port: 0, allowInsecureLoopback: true, publicUrl: ISSUER },
    // Faster than any machine asks here: who forges much is slowed down otherwise.
    limits: { ...DEFAULT_CONFIG.limits, anonymousPerSecond: 10_000 },
    oauth: { ...DEFAULT_CONFIG.oauth, grants: [{ ...grant, maxDepth: 1 }] },
  });
  expect(running.domain.home.agent('worker')).toBe(WORKER);
});
afterAll(() => running.close());

function sign(
  claims: JsonObject,
  key = running.domain.agent,
  header: JsonObject = { alg: 'Ed25519' },
): string {
  const input = [header, claims].map((part) => encodeBase64url(Buffer.from(JSON.stringify(part)))).join('.');
  return `${input}.${encodeBase64url(key.sign(Buffer.from(input)))}`;
}

function claimsOf(change: JsonObject = {}): JsonObject {
  count += 1;
  const exp = nowSeconds() + 60;
  return { iss: WORKER, sub: WORKER, aud: ISSUER, exp, jti: `assertion-${count}`, ...change };
}

function form(change: Record<string, string | undefined> = {}): URLSearchParams {
  const parameters = {
    grant_type: 'client_credentials',
    client_assertion_type: TYPE,
    client_assertion: sign(claimsOf()),
    req_cnf: JSON.stringify({ jwk: running.domain.agent.publicKey.jwk }),
    authorization_details: details({ [READ]: inside('/work/src') }),
    ...change,
  };
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)])));
}

function details(tools: JsonObject): string {
  return JSON.stringify([{ type: 'attenuating_agent_token', tools }]);
}

async function ask(body: URLSearchParams | string): Promise<{ status: number; json: JsonObject }> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await fetch(new URL('/oauth/token', running.url), {
    method: 'POST',
    headers,
    body: String(body),
  });
  return { status: answer.status, json: (await answer.json()) as JsonObject };
}

test('an agent gets what its grant covers, bound to its key, on record as its own doing', async () => {
  const { status, json } = await ask(form());
  expect([status, json.token_type, json.expires_in]).toEqual([200, 'aat', 600]);
  const token = readToken(String(json.access_token));
  if (isDenial(token)) throw new Error(token.detail);
  expect(token).toMatchObject({ depth: 0, maxDepth: 1, toolsJson: { [READ]: inside('/work/src') } });
  expect(token.holder.thumbprint).toBe(running.domain.agent.publicKey.thumbprint);
  expect(json.authorization_details).toEqual(JSON.parse(details({ [READ]: inside('/work/src') })));
  const auditor = await running.client('auditor');
  const { artifacts } = (await (await auditor.get('/v1/artifacts')).json()) as { artifacts: JsonObject[] };
  expect(artifacts.at(-1)).toMatchObject({ jti: token.jti, actor: WORKER, initiator: WORKER });
});

test('what the grant does not cover is left out, and where nothing is left nothing is issued', async () => {
  const some = await ask(form({ authorization_details: details({ [READ]: inside('/work'), [WRITE]: {} }) }));
  expect(some.json.authorization_details).toEqual(JSON.parse(details({ [READ]: inside('/work') })));
  const before = running.daemon.status().governance.size;
  const beyond = [
    { [WRITE]: {} },
    { [READ]: inside('/') },
    { [READ]: {} },
    { [READ]: inside('/work/../etc') },
    {},
  ];
  for (const tools of beyond) {
    const { status, json } = await ask(form({ authorization_details: details(tools) }));
    expect([status, json.error], JSON.stringify(tools)).toEqual([400, 'invalid_authorization_details']);
  }
  const elsewhere = await ask(form({ resource: 'spiffe://test.local/gateway/mail' }));
  expect(elsewhere.json.error).toBe('invalid_authorization_details');
  expect(running.daemon.status().governance.size).toBe(before);
});

test('an agent without a grant gets nothing', async () => {
  const other = SigningKey.generate();
  const subject = running.domain.home.agent('other');
  const by = { actor: 'urn:test', atSeconds: nowSeconds() };
  await enrollAgent(running.domain.home, { subject, key: other.publicKey, ...by });
  const asked = form({
    client_assertion: sign(claimsOf({ iss: subject, sub: subject }), other),
    req_cnf: JSON.stringify({ jwk: other.publicKey.jwk }),
  });
  expect((await ask(asked)).json.error).toBe('invalid_authorization_details');
});

test('who is not the agent is nobody, and nothing is issued', async () => {
  const stranger = SigningKey.generate();
  const before = running.daemon.status().governance.size;
  const now = nowSeconds();
  const assertions: readonly (readonly [string, string])[] = [
    ['signed with another key', sign(claimsOf(), stranger)],
    [
      'a key of its own in the header',
      sign(claimsOf(), stranger, { alg: 'Ed25519', jwk: { ...stranger.publicKey.jwk } }),
    ],
    ['no algorithm', sign(claimsOf(), running.domain.agent, { alg: 'none' })],
    ['for another server', sign(claimsOf({ aud: 'https://other.example' }))],
    ['for several servers', sign(claimsOf({ aud: [ISSUER, 'https://other.example'] }))],
    ['expired', sign(claimsOf({ exp: now - 1 }))],
    ['valid for a year', sign(claimsOf({ exp: now + 31_536_000 }))],
    ['without an id', sign(claimsOf({ jti: '' }))],
    ['issued by another', sign(claimsOf({ iss: 'spiffe://test.local/agent/x' }))],
    ['of nobody who is enrolled', sign(claimsOf({ iss: 'urn:x', sub: 'urn:x' }))],
    ['unsigned', `${sign(claimsOf()).split('.').slice(0, 2).join('.')}.`],
    ['no assertion at all', 'x'],
  ];
  for (const [what, assertion] of assertions) {
    const { status, json } = await ask(form({ client_assertion: assertion }));
    expect([status, json.error], what).toEqual([401, 'invalid_client']);
  }
  expect(running.daemon.status().governance.size).toBe(before);
});

test('an assertion counts once', async () => {
  const once = sign(claimsOf());
  const answers = await Promise.all([1, 2, 3].map(() => ask(form({ client_assertion: once }))));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 401, 401]);
});

test('an assertion that got an artifact gets no other one, from a daemon that was started since or on its socket', async () => {
  const once = form({ client_assertion: sign(claimsOf()) });
  expect((await ask(once)).status).toBe(200);
  const before = running.daemon.status().governance.size;
  const socket = new HttpClient(running.daemon.socketPath);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const there = await socket.send('POST', '/oauth/token', { headers, body: String(once) });
  socket.close();
  expect([there.status, JSON.parse(there.text).error]).toEqual([401, 'invalid_client']);
  await running.restart();
  const { status, json } = await ask(once);
  expect([status, json.error]).toEqual([401, 'invalid_client']);
  expect(running.daemon.status().governance.size).toBe(before);
  expect((await ask(form())).status).toBe(200);
});

test('the key must be one the agent is enrolled with', async () => {
  const { publicKey } = SigningKey.generate();
  for (const cnf of [
    { jwk: publicKey.jwk },
    { jwk: { ...running.domain.agent.publicKey.jwk, d: 'AAAA' } },
    {},
  ]) {
    expect((await ask(form({ req_cnf: JSON.stringify(cnf) }))).json.error).toBe('invalid_request');
  }
});

test('a form that says something twice, or is none, is refused', async () => {
  expect((await ask(`${form()}&resource=${encodeURIComponent(FS)}&resource=x`)).json.error).toBe(
    'invalid_request',
  );
  expect((await ask(form({ grant_type: 'password' }))).json.error).toBe('unsupported_grant_type');
  expect((await ask(form({ authorization_details: '[' }))).json.error).toBe('invalid_authorization_details');
  const twice = `[{"type":"attenuating_agent_token","tools":{"${READ}":{},"${READ}":{}}}]`;
  expect((await ask(form({ authorization_details: twice }))).json.error).toBe(
    'invalid_authorization_details',
  );
  expect((await ask('x'.repeat(200_000))).status).toBe(413);
});

test('metadata says what is there', async () => {
  const answer = await fetch(new URL('/.well-known/oauth-authorization-server', running.url));
  expect(await answer.json()).toMatchObject({
    issuer: ISSUER,
    aat_issuer: true,
    token_endpoint: `${ISSUER}/oauth/token`,
  });
});
