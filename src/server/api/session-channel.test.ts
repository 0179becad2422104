import { createConnection } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDaemon } from '../../../test/support/daemon-client.ts';
import { TestSession } from '../../../test/support/test-session.ts';
import { must, nowSeconds, READ, TestDomain } from '../../../test/support/trust-domain.ts';
import type { JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { revoke } from '../../governor/index.ts';
import { parseOutcomeReceipt } from '../../receipt/index.ts';
import { openSqliteLogReader } from '../../storage/index.ts';
import type { Daemon } from '../daemon/index.ts';

let domain: TestDomain;
let daemon: Daemon;

beforeAll(async () => {
  domain = await TestDomain.create();
  daemon = await startDaemon(domain.home);
});
afterAll(async () => {
  await daemon.close();
  domain.dispose();
});

const OPEN = () => ({ id: 0, open: { components: [], measuredAtSeconds: nowSeconds() } });

function connect(headers: Record<string, string> = {}, protocol?: string): Promise<TestSession | number> {
  const options = { headers, createConnection: () => createConnection(daemon.socketPath) };
  return TestSession.connect('ws://writ/v1/enforcement-points/web/session', options, protocol);
}

async function opened(): Promise<TestSession> {
  const session = await connect();
  if (typeof session === 'number') throw new Error(`not connected: ${session}`);
  expect(await session.ask(OPEN())).toMatchObject({ status: 200, body: { log: 'web', pins: {} } });
  return session;
}

function action(): JsonObject {
  const audience = `spiffe://${domain.home.domain}/gateway/web`;
  const token = domain.issue({ audiences: [audience] });
  const called = domain.call([token], { audience, tool: READ, args: { path: '/data/file.txt' } });
  return JSON.parse(JSON.stringify(called)) as JsonObject;
}

function rootIdOf({ presentation }: JsonObject): string {
  const { aat_chain: chain } = presentation as unknown as { aat_chain: readonly string[] };
  const [root = ''] = chain;
  const [, claims = ''] = root.split('.');
  return (JSON.parse(Buffer.from(claims, 'base64url').toString()) as { jti: string }).jti;
}

test('what is permitted runs until it is concluded, once, by the session that asked', async () => {
  const [mine, other] = [await opened(), await opened()];
  const ask = action();
  const permit = await mine.ask({ id: 1, ask });
  expect(permit).toMatchObject({ status: 201, body: { execution: expect.any(String) } });
  const { execution } = permit.body as { execution: string };
  expect(daemon.status().running).toBe(1);
  const conclude = { conclude: execution, outcome: { status: 'succeeded' } };
  expect(await other.ask({ id: 1, ...conclude })).toMatchObject({ status: 404 });
  expect(daemon.status().running).toBe(1);
  expect(await mine.ask({ id: 2, ...conclude })).toEqual({ id: 2, status: 200, body: {} });
  expect(await mine.ask({ id: 3, ...conclude })).toMatchObject({ status: 404 });
  expect(await other.ask({ id: 2, ask })).toMatchObject({ body: { code: 'replay.detected' } });
  expect(daemon.status().running).toBe(0);
  mine.close();
  other.close();
});

test('a frame may ask for much; each is answered by its id', async () => {
  const session = await opened();
  const asks = Array.from({ length: 20 }, (_, at) => ({ id: at + 1, ask: action() }));
  session.send(...asks, { id: 100, ask: { tool: READ, args: {} } });
  await session.next(({ id }) => id === 100);
  await session.next(({ id }) => id === 20);
  const statuses = new Map(session.received.map(({ id, status }) => [id, status]));
  for (const { id } of asks) expect(statuses.get(id), `${id}`).toBe(201);
  expect(statuses.get(100)).toBe(401);
  // When the connection ends, nobody is left who could say how they did.
  session.close();
  await expect.poll(() => daemon.status().running).toBe(0);
});

test('what no longer stands is told, and not asked', async () => {
  const session = await opened();
  const ask = action();
  const { body } = await session.ask({ id: 1, ask });
  const { execution } = body as { execution: string };
  const by = { actor: 'spiffe://local/user/test', atSeconds: nowSeconds() };
  must(await revoke(domain.home, { handle: 'token', value: rootIdOf(ask) }, by));
  const terminated = { event: 'terminated', data: { execution, code: 'revocation.revoked' } };
  expect(await session.next(({ event }) => event === 'terminated')).toEqual(terminated);
  const outcome = { status: 'succeeded' };
  expect(await session.ask({ id: 2, conclude: execution, outcome })).toMatchObject({
    body: { terminated: 'revocation.revoked' },
  });
  session.close();
});

test('a request that is not as documented is refused, and ends nothing', async () => {
  const session = await opened();
  const requests: JsonObject[] = [
    { ask: { tool: READ } },
    { ask: { tool: READ, args: [] } },
    { ask: { tool: READ, args: {}, permit: true } },
    { ask: { tool: READ, args: {} }, status: 201 },
    { conclude: 'x', outcome: { status: 'permitted' } },
    { conclude: 'x', outcome: { status: 'terminated' } },
    { leave: 7 },
    { concludeLeft: 'x' },
    { ask: { tool: READ, args: {} }, trace: { traceparent: 7 } },
    { conclude: 7, outcome: { status: 'succeeded' } },
    { tools: [{ id: READ, digest: 'sha256:0' }] },
    OPEN(),
    {},
  ];
  for (const [at, request] of requests.entries()) {
    expect(await session.ask({ ...request, id: at + 10 }), JSON.stringify(request)).toMatchObject({
      ...{ status: 400, body: { code: 'request.malformed' } },
    });
  }
  expect(await session.ask({ id: 99, tools: [] })).toMatchObject({ status: 200 });
  session.close();
});

test.each([
  ['no JSON', '[{"id":1,'],
  ['no array', '{"id":1}'],
  ['a member twice', '[{"id":1,"id":2,"tools":[]}]'],
  ['no request', '[7]'],
  ['no id', '[{"tools":[]}]'],
  ['bytes', Buffer.from('[{"id":1,"tools":[]}]')],
  ['too many requests', JSON.stringify(Array.from({ length: 1025 }, (_, id) => ({ id, tools: [] })))],
])('%s ends the session, and what runs in it', async (_name, frame) => {
  const session = await opened();
  expect(await session.ask({ id: 1, ask: action() })).toMatchObject({ status: 201 });
  session.send(frame);
  expect(await session.closed).toBe(1002);
  await expect.poll(() => daemon.status()).toMatchObject({ running: 0, sessions: 0 });
});

test('nothing is decided before the session is open', async () => {
  for (const early of [[{ id: 1, ask: action() }], [OPEN(), { id: 1, ask: action() }]]) {
    const session = await connect();
    if (typeof session === 'number') throw new Error(`not connected: ${session}`);
    session.send(...early);
    expect(await session.closed).toBe(1002);
    expect(session.received.filter(({ status }) => status === 201)).toEqual([]);
  }
  await expect.poll(() => daemon.status()).toMatchObject({ running: 0, sessions: 0 });
});

test('browsers, and who speaks another protocol, do not connect', async () => {
  expect(await connect({ origin: 'https://elsewhere.example' })).toBe(403);
  expect(await connect({}, 'chat')).toBe(426);
  const plain = await new Promise<string>((resolve) => {
    const socket = createConnection(daemon.socketPath);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (text.includes('}')) socket.destroy();
    });
    socket.on('close', () => resolve(text));
    socket.write(
      'GET /v1/enforcement-points/web/session HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n',
    );
  });
  expect(plain).toMatch(/^HTTP\/1.1 426/);
  expect(daemon.status().sessions).toBe(0);
});

test('a measurement that is none ends its session, and no other', async () => {
  const other = await opened();
  const digest = `sha256:${'0'.repeat(64)}`;
  const tools = Array.from({ length: 4097 }, (_, at) => ({ id: `mcp://web/tools/t${at}`, digest }));
  expect(await other.ask({ id: 1, tools })).toMatchObject({ status: 400 });
  const bootless = { components: [], measuredAtSeconds: nowSeconds(), bootId: 'yesterday' };
  expect(await other.ask({ id: 5, ...bootless })).toMatchObject({ status: 400 });
  // As many as a gateway lists are measured beside everything else, and decided on.
  const program = { kind: 'program', name: 'p', digest };
  const measured = { components: [program], measuredAtSeconds: nowSeconds() };
  expect(await other.ask({ id: 3, ...measured })).toMatchObject({ status: 200 });
  expect(await other.ask({ id: 4, tools: tools.slice(1) })).toMatchObject({ status: 200 });
  const mine = await opened();
  // The second of one name gets a number: this one has no room for it.
  const name = 'n'.repeat(1024);
  const components = ['0', '1'].map((one) => ({ kind: 'program', name, digest: `sha256:${one.repeat(64)}` }));
  mine.send({ id: 1, components, measuredAtSeconds: nowSeconds() });
  expect(await mine.closed).toBe(1011);
  expect(await other.ask({ id: 2, ask: action() })).toMatchObject({ status: 201 });
  other.close();
});

test('an upgrade that is refused does not stay half open', async () => {
  const startMs = performance.now();
  await new Promise<void>((resolve) => {
    const socket = createConnection({ path: daemon.socketPath, allowHalfOpen: true });
    socket.on('error', () => undefined);
    socket.on('data', () => undefined);
    // Whoever keeps its half open can go on to write for as long as the other one is.
    const writing = setInterval(() => socket.write('x'), 100);
    socket.once('close', () => {
      clearInterval(writing);
      resolve();
    });
    socket.write(
      'GET /v1/enforcement-points/web/session HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    );
  });
  expect(performance.now() - startMs).toBeLessThan(20_000);
});

test('whoever hurries cannot give an execution another outcome than that its enforcement point is gone', async () => {
  const other = await opened();
  const executions: string[] = [];
  for (let round = 1; round <= 10; round += 1) {
    const mine = await opened();
    const { body } = await mine.ask({ id: 1, ask: action() });
    const { execution } = body as { execution: string };
    executions.push(execution);
    mine.close();
    // Noticed, and not durable yet.
    while (daemon.status().running > 0) await new Promise((resolve) => setImmediate(resolve));
    await other.ask({ id: round, concludeLeft: execution, outcome: { status: 'succeeded' } });
  }
  other.close();
  await expect.poll(() => daemon.status().sessions).toBe(0);
  const reader = openSqliteLogReader(domain.home.executionLogFolder('web'));
  const outcomes = reader.read(0, reader.head().size).flatMap((entry) => {
    const outcome = parseOutcomeReceipt(entry);
    return isDenial(outcome) || !executions.includes(outcome.id) ? [] : [`${outcome.id} ${outcome.status}`];
  });
  reader.close();
  expect(outcomes.sort()).toEqual(executions.map((execution) => `${execution} unknown`).sort());
});
