import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiDaemon } from '../../../test/support/api-daemon.ts';
import type { JsonObject, JsonValue } from '../../codec/index.ts';
import { DEFAULT_CONFIG } from '../config/index.ts';
import { RateLimit } from './rate-limit.ts';

let running: ApiDaemon;

beforeAll(async () => {
  running = await ApiDaemon.start({
    limits: {
      ...DEFAULT_CONFIG.limits,
      ...{ requestsPerSecond: 1, burst: 5, anonymousPerSecond: 3, maxBodyBytes: 2048, maxEventStreams: 1 },
      ...{ requestTimeoutSeconds: 1, headersTimeoutSeconds: 1 },
    },
  });
});
afterAll(() => running.close());

/** Sends each part a while after the one before; resolves with what came back until the connection was closed. */
function trickle(parts: readonly string[], everyMs: number): Promise<{ text: string; tookMs: number }> {
  const { port } = new URL(running.url);
  const startMs = performance.now();
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    const rest = [...parts];
    const timer = setInterval(() => {
      const part = rest.shift();
      if (part !== undefined) socket.write(part);
    }, everyMs);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(timer);
      resolve({ text, tookMs: performance.now() - startMs });
    });
  });
}

test('who sends a request byte by byte is cut off, head or body, and others are served meanwhile', async () => {
  const client = await running.client('auditor', 'patient');
  const head = 'GET /v1/status HTTP/1.1\r\nhost: x\r\n';
  const slowHead = trickle([...head, ...'x-a: b\r\n'.repeat(100)], 50);
  const post = 'POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n';
  const slowBody = trickle([`${post}content-length: 1000\r\n\r\n`, ...'x'.repeat(1000)], 50);
  expect((await client.get('/v1/status')).status).toBe(200);
  const [first, second] = await Promise.all([slowHead, slowBody]);
  expect(first.text).toMatch(/^HTTP\/1.1 408/);
  expect(first.tookMs).toBeLessThan(5000);
  expect(second.tookMs).toBeLessThan(5000);
});

test('a caller above its rate is told when to come again; others are not held up by it', async () => {
  const greedy = await running.client('auditor', 'greedy');
  const statuses: number[] = [];
  for (let count = 0; count < 8; count += 1) statuses.push((await greedy.get('/v1/logs')).status);
  expect(statuses.slice(0, 5)).toEqual([200, 200, 200, 200, 200]);
  expect(statuses).toContain(429);
  const refused = await greedy.get('/v1/logs');
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  const modest = await running.client('auditor', 'modest');
  expect((await modest.get('/v1/logs')).status).toBe(200);
});

test('who guesses tokens is slowed down by address, and who has one is not', async () => {
  const known = await running.client('auditor', 'known');
  const statuses: number[] = [];
  for (let count = 0; count < 8; count += 1) {
    const headers = { authorization: `Bearer writ_${'x'.repeat(42)}${count}` };
    statuses.push((await fetch(new URL('/v1/status', running.url), { headers })).status);
  }
  expect(statuses).toContain(429);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect((await known.get('/v1/status')).status).toBe(200);
});

test('a body above the limit of the listener is not read', async () => {
  const operator = await running.client('operator');
  const reason = 'x'.repeat(4000);
  const answer = await operator.post('/v1/revocations', { handle: 'token', value: 'x', reason });
  expect(answer.status).toBe(413);
});

test('streams of events are bounded, and a closed one makes room', async () => {
  const watcher = await running.client('auditor', 'watcher');
  const first = await watcher.get('/v1/events');
  expect((await watcher.get('/v1/events')).status).toBe(503);
  await first.body?.cancel();
  await expect
    .poll(async () => {
      const next = await (await running.client('auditor', `w${Math.random()}`.slice(0, 12))).get(
        '/v1/events',
      );
      await next.body?.cancel();
      return next.status;
    })
    .toBe(200);
});

test('buckets fill with time, up to the burst, and are bounded in number', () => {
  let nowMs = 0;
  const limit = new RateLimit(2, 3, () => nowMs);
  expect([1, 2, 3, 4].map(() => limit.take('a'))).toEqual([0, 0, 0, 1]);
  nowMs = 500;
  expect([limit.take('a'), limit.take('a')]).toEqual([0, 1]);
  nowMs = 1_000_000;
  expect([1, 2, 3, 4].map(() => limit.take('a'))).toEqual([0, 0, 0, 1]);
  // A clock that goes back gives nothing.
  nowMs = 0;
  expect(limit.take('a')).toBe(1);
});

test('a session keeps within its rate whatever it asks for, and can always tell how something ended', async () => {
  const point = await running.client('enforcement-point', 'busy');
  const session = await point.session('busy');
  const measured = { components: [], measuredAtSeconds: Math.floor(Date.now() / 1000) };
  expect(await session.ask({ id: 0, open: measured })).toMatchObject({ status: 200 });
  const outcome = { status: 'succeeded' };
  const requests: JsonObject[] = [
    { tools: [] },
    { ask: { tool: 'mcp://busy/tools/x', args: {} } },
    measured,
    { concludeLeft: 'x', outcome },
  ];
  const statuses: JsonValue[] = [];
  for (const [at, request] of [...requests, ...requests].entries()) {
    statuses.push((await session.ask({ ...request, id: at + 1 })).status ?? 0);
  }
  // One of the five was to connect.
  expect(statuses.slice(0, 4)).not.toContain(429);
  expect(statuses.slice(4)).toEqual([429, 429, 429, 429]);
  expect(await session.ask({ id: 90, conclude: 'x', outcome })).toMatchObject({ status: 404 });
  session.close();
});

test('asking for another protocol leaves no stream behind', async () => {
  const { port } = new URL(running.url);
  const reader = await running.client('auditor', 'upgrading');
  const head = await new Promise<string>((resolve) => {
    const socket = connect(Number(port), '127.0.0.1');
    socket.once('data', (chunk) => {
      resolve(chunk.toString());
      socket.destroy();
    });
    socket.write(
      `GET /v1/events HTTP/1.1\r\nhost: x\r\n${reader.authorization}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`,
    );
  });
  expect(head).toMatch(/^HTTP\/1.1 200/);
  // There is room for one: the first is gone with its connection.
  const other = await running.client('auditor', 'after');
  await expect
    .poll(
      async () => {
        const { status, body } = await other.get('/v1/events');
        await body?.cancel();
        return status;
      },
      { interval: 1100, timeout: 10_000 },
    )
    .toBe(200);
});
