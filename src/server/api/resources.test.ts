import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApiClient, ApiDaemon } from '../../../test/support/api-daemon.ts';
import { must, READ, WRITE } from '../../../test/support/trust-domain.ts';
import { isJsonObject, type JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import {
  type ConnectedGovernor,
  connectGovernor,
  dismissCaller,
  verifyEvidence,
} from '../../governor/index.ts';
import { SigningKey } from '../../key/index.ts';
import { parseDecisionReceipt } from '../../receipt/index.ts';
import { openCheckpoint, parseEntryBundle, parseVkey } from '../../tlog/index.ts';

let running: ApiDaemon;
let point: ConnectedGovernor;
let operator: ApiClient;
let auditor: ApiClient;
let chain: readonly string[] = [];
const ids: string[] = [];

async function act(change: Record<string, unknown> = {}, parent?: string): Promise<string> {
  const { domain } = running;
  const options = { audience: point.audience, ...(parent === undefined ? {} : { parent }) };
  const action = { ...domain.call(chain, options), ...change };
  const done = await point.governor.run(action, async () => ({ status: 'succeeded', value: 1 }) as const);
  return done.executionId;
}

beforeAll(async () => {
  running = await ApiDaemon.start();
  const connected = await connectGovernor({ home: running.domain.home, name: 'fs', components: [] });
  if (connected === undefined || isDenial(connected)) throw new Error('no daemon');
  point = connected;
  operator = await running.client('operator');
  auditor = await running.client('auditor');
  chain = [running.domain.issue()];
  ids.push(await act(), await act({ presentation: undefined }), await act());
  ids.push(await act({}, ids[2]));
});
afterAll(async () => {
  await point.close();
  await running.close();
});

async function jsonOf(response: Response | Promise<Response>): Promise<JsonObject> {
  const value: unknown = await (await response).json();
  if (!isJsonObject(value)) throw new Error('no object');
  return value;
}

async function lastActor(): Promise<unknown> {
  const { size } = running.daemon.status().governance;
  const { events } = await jsonOf(auditor.get(`/v1/governance/events?after=${size - 1}`));
  return events;
}

test('decisions are listed page by page, as of the moment of the first', async () => {
  const seen: unknown[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 10; pages += 1) {
    const query = cursor === undefined ? 'limit=2' : `limit=2&cursor=${cursor}`;
    const { decisions, next } = await jsonOf(auditor.get(`/v1/executions?${query}`));
    if (!Array.isArray(decisions)) throw new Error('no page');
    seen.push(...decisions.map((one) => (one as { receipt: { id: string } }).receipt.id));
    if (pages === 0) ids.push(await act());
    if (typeof next !== 'string') break;
    cursor = next;
  }
  expect(seen).toEqual(ids.slice(0, 4).reverse());
  const denied = await jsonOf(auditor.get('/v1/executions?verdict=deny&code=artifact.missing'));
  expect(denied.decisions).toMatchObject([{ receipt: { id: ids[1], code: 'artifact.missing' } }]);
});

test('a query that says what nobody knows, or says it twice, is refused', async () => {
  for (const query of ['vredict=deny', 'limit=1&limit=2', 'limit=0', 'limit=1001', 'cursor=x', 'code=nope']) {
    expect((await auditor.get(`/v1/executions?${query}`)).status, query).toBe(400);
  }
  expect((await auditor.get('/v1/executions?log=..')).status).toBe(404);
});

test('one execution has an ETag, and is not sent to who has it', async () => {
  const answer = await auditor.get(`/v1/executions/${ids[1]}`);
  expect(answer.headers.get('cache-control')).toContain('immutable');
  expect(await jsonOf(answer)).toMatchObject({ log: 'fs', receipt: { id: ids[1], verdict: 'deny' } });
  const etag = answer.headers.get('etag') ?? '';
  const again = await auditor.get(`/v1/executions/${ids[1]}`, { 'if-none-match': `"x", W/${etag}` });
  expect([again.status, await again.text()]).toEqual([304, '']);
  expect((await auditor.get('/v1/executions/none')).status).toBe(404);
});

test('a bundle verifies offline, and holds no arguments where they are withheld', async () => {
  const text = await (await auditor.get(`/v1/executions/${ids[0]}/bundle`)).text();
  const logs = await jsonOf(auditor.get('/v1/logs'));
  const listed = logs.logs as { origin: string; vkeys: string[] }[];
  const [governance, execution] = listed.map(({ vkeys }) => must(parseVkey(vkeys[0] ?? '')));
  if (governance === undefined || execution === undefined) throw new Error('no keys');
  const report = verifyEvidence(text, { logs: [execution], governance });
  expect(JSON.stringify(report)).toContain('"request":"');
  const without = await (await auditor.get(`/v1/executions/${ids[0]}/bundle?withhold=request`)).text();
  expect(without).not.toContain('aat_pop');
  expect((await auditor.get(`/v1/executions/${ids[0]}/bundle?withhold=all`)).status).toBe(400);
});

test('lineage is what led to what', async () => {
  const { executions } = await jsonOf(auditor.get(`/v1/executions/${ids[3]}/lineage`));
  expect(executions).toMatchObject([
    { execution: ids[2], depth: 0, relation: 'ancestor' },
    { execution: ids[3], depth: 1, parent: ids[2], relation: 'self' },
  ]);
});

test('logs are served as C2SP tiles: what is read from them is what was recorded', async () => {
  const { logs } = await jsonOf(auditor.get('/v1/logs'));
  const [, fs] = logs as { origin: string; vkeys: string[]; path: string }[];
  const published = await auditor.get(`${fs?.path}/checkpoint`);
  expect(published.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  const { size } = must(openCheckpoint(await published.text(), must(parseVkey(fs?.vkeys[0] ?? ''))));
  expect(size).toBeGreaterThan(0);
  const tile = await auditor.get(`${fs?.path}/tile/entries/000.p/${size}`);
  expect(tile.headers.get('cache-control')).toContain('immutable');
  const entries = must(parseEntryBundle(new Uint8Array(await tile.arrayBuffer()), size));
  expect(must(parseDecisionReceipt(entries[0] ?? new Uint8Array())).id).toBe(ids[0]);
});

test('no path leads out of a log', async () => {
  const paths = [
    '/v1/logs/governance/tile/../log.sqlite',
    '/v1/logs/governance/tile/..%2flog.sqlite',
    '/v1/logs/governance/tile/%2e%2e%2f%2e%2e%2fkeys%2fissuer.pem',
    '/v1/logs/governance/tile/0/..%2f..%2f..%2fdomain.json',
    '/v1/logs/governance/tile/0/000%00',
    '/v1/logs/governance/tile//etc/passwd',
    '/v1/logs/execution/..%2f..%2fgovernance/checkpoint',
    '/v1/logs/execution/nope/checkpoint',
    '/v1/policies/..%2f..%2fdomain',
    '/v1/policies/sha256:..%2f..',
  ];
  for (const path of paths) {
    const answer = await auditor.get(path);
    expect(answer.status, path).toBe(404);
    expect(await answer.text()).not.toMatch(/PRIVATE|SQLite|vkey/);
  }
});

test('what an operator does is recorded as done by that operator, whatever the request says', async () => {
  const key = SigningKey.generate().publicKey;
  const subject = 'spiffe://test.example/agent/helper';
  const forged = { 'x-writ-actor': 'spiffe://local/user/root', from: 'root@example.test' };
  expect((await operator.post('/v1/agents', { subject, jwk: key.jwk }, forged)).status).toBe(201);
  expect(await lastActor()).toMatchObject([
    { event: { event: 'agent.enrolled', actor: operator.caller, subject } },
  ]);
  const withActor = { subject, jwk: SigningKey.generate().publicKey.jwk, actor: 'root' };
  expect((await operator.post('/v1/agents', withActor)).status).toBe(400);

  const artifact = {
    agent: subject,
    tools: { [READ]: {} },
    audiences: ['spiffe://x/gateway/fs'],
    ttlSeconds: 60,
  };
  const issued = await jsonOf(operator.post('/v1/artifacts', artifact));
  expect(await lastActor()).toMatchObject([
    { event: { event: 'artifact.issued', actor: operator.caller, jti: issued.jti } },
  ]);
  const inspected = await jsonOf(auditor.post('/v1/artifacts/inspect', { chain: issued.chain }));
  expect(inspected.tokens).toMatchObject([
    { jti: issued.jti, agent: subject, onRecord: true, writ: { initiator: { id: operator.caller } } },
  ]);
  const revocation: object = { handle: 'token', value: issued.jti, reason: 'done' };
  const revoked: unknown[] = [];
  for (let times = 0; times < 2; times += 1) {
    revoked.push(await jsonOf(operator.post('/v1/revocations', revocation)));
  }
  expect(revoked).toEqual([{ changed: true }, { changed: false }]);
  const listed = await jsonOf(auditor.get('/v1/artifacts'));
  const artifacts: readonly unknown[] = Array.isArray(listed.artifacts) ? listed.artifacts : [];
  expect(artifacts.at(-1)).toMatchObject({ jti: issued.jti, revoked: expect.any(Number) });
});

test('an auditor changes nothing', async () => {
  const before = running.daemon.status().governance.size;
  const writes: readonly [string, unknown][] = [
    ['/v1/revocations', { handle: 'subject', value: running.domain.home.agent('worker'), reason: 'x' }],
    ['/v1/agents', { subject: 'spiffe://a/b', jwk: SigningKey.generate().publicKey.jwk }],
    [
      '/v1/artifacts',
      { agent: running.domain.home.agent('worker'), tools: {}, audiences: ['urn:x'], ttlSeconds: 1 },
    ],
    [
      '/v1/policies',
      { id: 'x', policies: [{ path: 'a.cedar', text: 'permit (principal, action, resource);' }], tools: [] },
    ],
  ];
  for (const client of [
    auditor,
    await running.client('approver'),
    await running.client('enforcement-point', 'fs'),
  ]) {
    for (const [path, body] of writes) expect((await client.post(path, body)).status, path).toBe(403);
  }
  // Two callers were admitted meanwhile, and nothing else happened.
  expect(running.daemon.status().governance.size).toBe(before + 2);
});

test('a request sent again is answered as it was and done once; another one under its key is refused', async () => {
  const body = {
    subject: 'spiffe://test.example/agent/once',
    jwk: { ...SigningKey.generate().publicKey.jwk },
  };
  const before = running.daemon.status().governance.size;
  const first = await operator.post('/v1/agents', body, { 'idempotency-key': 'k1' });
  const again = await operator.post('/v1/agents', body, { 'idempotency-key': 'k1' });
  expect([first.status, again.status]).toEqual([201, 201]);
  expect(await again.text()).toBe(await first.text());
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  const other = { ...body, subject: 'spiffe://test.example/agent/twice' };
  expect((await operator.post('/v1/agents', other, { 'idempotency-key': 'k1' })).status).toBe(422);
  // Another caller's keys are its own: it is asked for anew, and conflicts.
  const second = await running.client('operator', 'second');
  expect((await second.post('/v1/agents', body, { 'idempotency-key': 'k1' })).status).toBe(409);
  expect(running.daemon.status().governance.size).toBe(before + 2);
});

test('a body that says something twice, or too much, does nothing', async () => {
  const before = running.daemon.status().governance.size;
  const subject = running.domain.home.agent('worker');
  const bodies: readonly [string, number][] = [
    [`{"handle":"token","handle":"subject","value":"${subject}","reason":"x"}`, 400],
    [`{"handle":"subject","value":"${subject}","reason":"x","__proto__":{}}`, 400],
    [`{"handle":"subject","value":"${subject}","reason":"a\\r\\nb"}`, 400],
    [`{"handle":"policy","value":"${subject}","reason":"x"}`, 400],
    [`{"handle":"subject","value":"${subject}","reason":"${'x'.repeat(1_100_000)}"}`, 413],
    ['', 400],
  ];
  for (const [body, status] of bodies) {
    expect((await operator.post('/v1/revocations', body)).status, body.slice(0, 80)).toBe(status);
  }
  const asText = { 'content-type': 'text/plain' };
  expect((await operator.post('/v1/revocations', bodies[0]?.[0], asText)).status).toBe(400);
  expect(running.daemon.status().governance.size).toBe(before);
});

test('a policy is published where it replaces the one it was meant to', async () => {
  const { digest, tools } = await jsonOf(auditor.get('/v1/policies/active'));
  const policies = [{ path: 'new.cedar', text: '@id("new") permit (principal, action, resource);' }];
  const definitions = (tools as JsonObject[]).map(({ server, id, definition }) => ({
    server,
    id,
    definition,
  }));
  const body = { id: 'default', policies, tools: definitions };
  const stale = await operator.post('/v1/policies', { ...body, replaces: `sha256:${'0'.repeat(64)}` });
  expect(stale.status).toBe(409);
  const invalid = { ...body, policies: [{ path: 'x.cedar', text: 'permit (principal, action, nobody);' }] };
  expect((await operator.post('/v1/policies', invalid)).status).toBe(400);
  const forbidding = [{ path: 'x.cedar', text: 'forbid (principal, action, resource);' }];
  const simulated = await jsonOf(auditor.post('/v1/policies/simulate', { ...body, policies: forbidding }));
  expect(simulated.logs).toMatchObject([{ log: 'fs', newlyPermitted: 0, newlyDenied: 4 }]);
  expect(await jsonOf(auditor.get('/v1/policies/active'))).toMatchObject({ digest });
  const published = await jsonOf(operator.post('/v1/policies', { ...body, replaces: digest }));
  expect(await jsonOf(auditor.get('/v1/policies/active'))).toMatchObject({ digest: published.digest });
  expect(await jsonOf(auditor.get(`/v1/policies/${digest}`))).toMatchObject({ digest });
  expect(await lastActor()).toMatchObject([{ event: { event: 'policy.published', actor: operator.caller } }]);
  expect(WRITE in Object.fromEntries(definitions.map(({ id }) => [String(id), true]))).toBe(true);
});

/** Events until one is as wanted. */
async function watch(lastEventId: string | undefined, isLast: (event: JsonObject) => boolean) {
  const headers = lastEventId === undefined ? undefined : { 'last-event-id': lastEventId };
  const response = await auditor.get('/v1/events', headers);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) throw new Error('no stream');
  const events: { id: string; name: string; data: JsonObject }[] = [];
  let text = '';
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return events;
      text += value;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const field = (name: string) =>
          new RegExp(`^${name}: (.*)$`, 'm').exec(text.slice(0, end))?.[1] ?? '';
        const event = {
          id: field('id'),
          name: field('event'),
          data: JSON.parse(field('data')) as JsonObject,
        };
        text = text.slice(end + 2);
        events.push(event);
        if (isLast(event.data)) return events;
      }
    }
  } finally {
    await reader.cancel();
  }
}

test('events resume where they were left, without a gap or a repetition', async () => {
  const [opened] = await watch(undefined, () => true);
  const started = running.daemon.status().governance.size;
  const execution = await act();
  const isOutcome = ({ entry }: JsonObject) =>
    isJsonObject(entry) && entry.id === execution && 'status' in entry;
  const first = await watch(opened?.id, isOutcome);
  const names = first.map(({ name }) => name).filter((name) => name !== 'opened');
  expect(names).toEqual(['decision', 'outcome']);
  const decided = first.find(({ name }) => name === 'decision');
  const rest = await watch(decided?.id, isOutcome);
  expect(rest.filter(({ name }) => name !== 'opened').map(({ name }) => name)).toEqual(['outcome']);
  expect(opened?.id).toBe(`@governance:${started} ${opened?.id.split(' ').slice(1).join(' ')}`);
  expect((await auditor.get('/v1/events', { 'last-event-id': '../x:1' })).status).toBe(400);
});

test('what is issued over the API permits what it grants', async () => {
  const agent = running.domain.home.agent('worker');
  const artifact = { agent, tools: { [WRITE]: {} }, audiences: [point.audience], ttlSeconds: 60 };
  const { chain: issued } = await jsonOf(operator.post('/v1/artifacts', artifact));
  const action = running.domain.call(issued as unknown as string[], { audience: point.audience });
  const effect = async () => ({ status: 'succeeded', value: 1 }) as const;
  expect(await point.governor.run(action, effect)).toMatchObject({ verdict: 'permit' });
});

test('what was opened with a token ends with it: live events, and the session of an enforcement point', async () => {
  const reader = await running.client('auditor', 'leaving');
  const enforcer = await running.client('enforcement-point', 'leaving-point');
  const by = { actor: 'urn:test', atSeconds: Math.floor(Date.now() / 1000) };
  const stream = await reader.get('/v1/events');
  expect(stream.status).toBe(200);
  const text = stream.text();
  const session = await enforcer.session('leaving-point');
  await session.ask({ id: 0, open: { components: [], measuredAtSeconds: by.atSeconds } });
  const before = running.daemon.status().sessions;
  for (const { caller } of [reader, enforcer]) {
    must(await dismissCaller(running.domain.home, { caller }, by));
  }
  const events = await text;
  // Nothing was asked in it.
  expect(await session.closed).toBe(1008);
  expect(events).toContain('event: opened');
  // Not even that it was dismissed is told to who was.
  expect(events).not.toContain(enforcer.caller);
  await expect.poll(() => running.daemon.status().sessions).toBe(before - 1);
});
