import { createHmac } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiDaemon } from '../../../test/support/api-daemon.ts';
import { TestApprover } from '../../../test/support/test-approver.ts';
import { must, nowSeconds } from '../../../test/support/trust-domain.ts';
import type { JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import {
  ApprovalRequests,
  ApprovalWatch,
  type Clock,
  type ConnectedGovernor,
  connectGovernor,
  openGovernanceFollower,
  recordApproval,
  statementFor,
  systemClock,
} from '../../governor/index.ts';
import { DEFAULT_CONFIG } from '../config/index.ts';
import { createLogger } from '../daemon/index.ts';
import { WebhookQueue } from './webhook-queue.ts';

const POLICY = `
permit (principal, action in Writ::Action::"read", resource);
@approval("operator:1") permit (principal, action in Writ::Action::"write", resource);
`;
const KEY = Buffer.alloc(32, 9);
const SECRET = `whsec_${KEY.toString('base64')}`;

let running: ApiDaemon;
let point: ConnectedGovernor;
let receiver: Server;
let port = 0;
let log = '';
/** Only what its signature is right for. */
const received: JsonObject[] = [];

/** A receiver that believes nothing it has not verified. */
function newReceiver(): Server {
  return createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const id = String(request.headers['webhook-id']);
      const signed = `${id}.${request.headers['webhook-timestamp']}.${body}`;
      const signature = `v1,${createHmac('sha256', KEY).update(signed).digest('base64')}`;
      const isRight = request.headers['webhook-signature'] === signature;
      if (isRight) received.push({ id, ...JSON.parse(body) });
      response.writeHead(isRight ? 204 : 401).end();
    });
  });
}

const listen = (server: Server, at: number) =>
  new Promise<number>((ready) =>
    server.listen(at, '127.0.0.1', () => ready((server.address() as AddressInfo).port)),
  );

beforeAll(async () => {
  receiver = newReceiver();
  port = await listen(receiver, 0);
  await new Promise((closed) => receiver.close(closed));
  const webhook = { url: `http://127.0.0.1:${port}/hook`, secret: { env: 'HOOK' }, events: [] };
  const all = ['approval.requested', 'approval.granted', 'approval.rejected', 'approval.expired'] as const;
  running = await ApiDaemon.start(
    {
      notifications: { webhooks: [{ ...webhook, events: [...all] }] },
      approvals: { ...DEFAULT_CONFIG.approvals, consoleUrl: 'https://console.test' },
    },
    systemClock,
    { policy: POLICY, environment: { HOOK: SECRET }, log: (line) => (log += line) },
  );
  const connected = await connectGovernor({ home: running.domain.home, name: 'fs', components: [] });
  if (connected === undefined || isDenial(connected)) throw new Error('no daemon');
  point = connected;
});
afterAll(async () => {
  await point.close();
  await running.close();
  receiver.closeAllConnections();
  receiver.close();
});

async function call(chain: readonly string[], path: string): Promise<{ code: string; id: string }> {
  const action = running.domain.call(chain, { audience: point.audience, args: { path } });
  const done = await point.governor.run(action, async () => ({ status: 'succeeded', value: 1 }) as const);
  return { code: done.verdict === 'permit' ? 'permit' : done.denial.code, id: done.executionId };
}

async function decide(id: string, approver: TestApprover, decision: 'approve' | 'reject') {
  const { home } = running.domain;
  const follower = must(openGovernanceFollower(home));
  const requests = must(ApprovalRequests.open(home, follower.view.state));
  const request = must(requests.find(id, follower.view.state, Date.now()));
  const verdict = { approver: approver.subject, role: 'operator', decision };
  const said = must(statementFor(home, request, verdict, nowSeconds()));
  must(await recordApproval(home, said, approver.sign(said), { actor: 'urn:test', atSeconds: nowSeconds() }));
  requests.close();
  follower.close();
}

test('receivers are told of approvals, signed, once they can be reached; no decision waits for them', async () => {
  const ada = await TestApprover.enrolled(running.domain.home, 'ada', 'operator');
  const chain = [running.domain.issue()];
  const first = await call(chain, '/first');
  expect(first.code).toBe('approval.required');
  await vi.waitFor(() => expect(log).toContain('webhook not delivered yet'), 5000);
  // Nobody listens, and what can be decided is.
  await decide(first.id, ada, 'approve');
  expect((await call(chain, '/first')).code).toBe('permit');
  const second = await call(chain, '/second');
  await decide(second.id, ada, 'reject');
  receiver = newReceiver();
  await listen(receiver, port);
  await vi.waitFor(() => expect(received).toHaveLength(4), 10_000);
  // In order, of each request.
  const toldOf = (id: string) =>
    received.filter(({ data }) => (data as JsonObject).request === id).map(({ type }) => type);
  expect(toldOf(first.id)).toEqual(['approval.requested', 'approval.granted']);
  expect(toldOf(second.id)).toEqual(['approval.requested', 'approval.rejected']);
  expect(received[0]).toMatchObject({
    id: `requested_${first.id}`,
    data: { tool: 'mcp://fs/tools/write_file', url: `https://console.test/approvals/${first.id}` },
  });
  // What is asked is nobody's but who may open it, and the path of a webhook is a secret with many receivers.
  expect(JSON.stringify(received)).not.toContain('/first');
  expect(log).toContain(`"host":"127.0.0.1:${port}"`);
  expect(log).not.toContain('/hook');
  expect(log).not.toContain(SECRET);
  const auditor = await running.client('auditor');
  const metrics = await (await auditor.get('/metrics')).text();
  expect(metrics).toContain('writ_notices_total{event="approval.requested",result="delivered"} 2');
  expect(metrics).toContain('writ_notices_waiting 0');
}, 30_000);

test('an action is told of once while it waits, and when its time is over', async () => {
  const { home } = running.domain;
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, wallMs: () => Date.now() + aheadMs };
  const follower = must(openGovernanceFollower(home, clock));
  const told: unknown[] = [];
  const watch = new ApprovalWatch({
    ...{ home, clock, follower },
    logs: () => ['fs'],
    tell: (change, { id }) => told.push([change, id]),
    onOverflow: () => told.push('overflow'),
    onUnreadable: (log) => told.push(log),
  });
  const chain = [running.domain.issue()];
  const asked = await call(chain, '/late');
  watch.step();
  const again = await call(chain, '/late');
  watch.step();
  expect(told).toEqual([['requested', asked.id]]);
  aheadMs = 899_000;
  watch.step();
  expect(told).toHaveLength(1);
  aheadMs = 901_000;
  watch.step();
  watch.step();
  expect(told.slice(1)).toEqual([['expired', again.id]]);
  expect(watch.size).toBe(0);
  watch.close();
  follower.close();
});

test('a log that cannot be read keeps nobody from being told of the others', async () => {
  const { home } = running.domain;
  const damaged = home.executionLogFolder('damaged');
  mkdirSync(damaged, { recursive: true });
  writeFileSync(
    join(damaged, 'log.sqlite'),
    'this is no database, and it is long enough to be seen as none'.repeat(99),
  );
  const follower = must(openGovernanceFollower(home));
  const told: unknown[] = [];
  const unreadable = new Set<string>();
  const watch = new ApprovalWatch({
    ...{ home, clock: systemClock, follower },
    logs: () => ['damaged', 'fs'],
    tell: (change, { id }) => told.push([change, id]),
    onOverflow: () => told.push('overflow'),
    onUnreadable: (log) => unreadable.add(log),
  });
  const { id } = await call([running.domain.issue()], '/beside-a-damaged-one');
  watch.findLogs();
  watch.step();
  expect([told, [...unreadable]]).toEqual([[['requested', id]], ['damaged']]);
  watch.close();
  follower.close();
  rmSync(damaged, { recursive: true });
});

test('while a receiver is away no more than so many notices are held, and the oldest make way', async () => {
  const results: unknown[] = [];
  const attempted: string[] = [];
  const away: typeof fetch = async (_url, init) => {
    attempted.push(new Headers(init?.headers).get('webhook-id') ?? '');
    return new Response(null, { status: attempted.length < 3 ? 503 : 204 });
  };
  const logger = createLogger(new Writable({ write: (_chunk, _encoding, done) => done() }));
  const queue = new WebhookQueue({
    target: { url: 'https://hooks.test/', secret: SECRET },
    events: ['approval.requested'],
    clock: systemClock,
    logger,
    onResult: (type, result) => results.push([type, result]),
    delivery: { fetch: away, backoffMs: 1 },
    maxWaiting: 2,
  });
  const notice = (id: string, type: 'approval.requested' | 'approval.granted', untilMs: number) =>
    queue.offer({ id, type, json: {}, untilMs });
  const later = Date.now() + 60_000;
  notice('a', 'approval.requested', later);
  for (const id of ['b', 'c']) notice(id, 'approval.requested', later);
  notice('d', 'approval.requested', 0);
  notice('x', 'approval.granted', later);
  await vi.waitFor(() => expect(results).toHaveLength(4));
  expect(results.map((one) => (one as string[])[1])).toEqual(['dropped', 'delivered', 'delivered', 'stale']);
  expect(attempted).toEqual(['a', 'a', 'a', 'c']);
  await queue.close();
});
