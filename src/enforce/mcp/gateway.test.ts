import { describe, expect, it } from 'vitest';
import { deny } from '../../denial/index.ts';
import { FAULTS } from './answer.ts';
import { startGateway } from './gateway.test-support.ts';
import { runMcpGateway } from './gateway.ts';
import { call, NOT_GRANTED } from './session.test-support.ts';

describe('runMcpGateway', () => {
  it('forwards what is permitted and ends when the client closes its side', async () => {
    const gateway = startGateway();
    await gateway.initialize();
    gateway.send(call(1, 'echo', { a: 1 }));
    expect(await gateway.answer(1)).toHaveProperty('result.content', [{ type: 'text', text: '{"a":1}' }]);
    gateway.input.end();
    expect(await gateway.exit).toEqual({
      reason: 'client_closed',
      upstream: { code: 0, signal: null, failedToStart: false },
    });
    expect(gateway.recorded()).toContain(`${JSON.stringify(call(1, 'echo', { a: 1 }))}\n`);
  });

  it('forwards nothing that is denied', async () => {
    const gateway = startGateway({ decide: () => NOT_GRANTED });
    await gateway.initialize();
    gateway.send(call(1, 'echo', { secret: 'hunter2' }));
    expect(await gateway.answer(1)).toHaveProperty('error.data.code', 'scope.tool_not_granted');
    gateway.input.end();
    await gateway.exit;
    expect(gateway.recorded()).not.toContain('tools/call');
  });

  it('answers what was asked before the client closed its side', async () => {
    const gateway = startGateway();
    gateway.send({ jsonrpc: '2.0', id: 'init', method: 'initialize', params: {} });
    gateway.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    gateway.send(call(1, 'echo'));
    gateway.send({ jsonrpc: '2.0', id: 2, method: 'tools/list' });
    gateway.input.end();
    await gateway.exit;
    expect(gateway.received.map(({ id }) => id).sort()).toEqual([1, 2, 'init']);
  });

  it('shows every page of a filtered list', async () => {
    const gateway = startGateway({
      presenter: {
        grants: (tool) => tool.endsWith('/echo') || tool.endsWith('/noise'),
        present: () => NOT_GRANTED,
      },
    });
    await gateway.initialize();
    gateway.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    expect(await gateway.answer(1)).toMatchObject({
      result: { tools: [{ name: 'echo' }], nextCursor: '10' },
    });
    gateway.send({ jsonrpc: '2.0', id: 2, method: 'tools/list', params: { cursor: '10' } });
    expect(await gateway.answer(2)).toMatchObject({ result: { tools: [{ name: 'noise' }] } });
    gateway.input.end();
    await gateway.exit;
  });

  it.each([
    ['crash', FAULTS.exited],
    ['close-output', FAULTS.exited],
  ])('an upstream that ends in the middle of a call (%s) ends the gateway, cleanly', async (name, fault) => {
    const gateway = startGateway();
    await gateway.initialize();
    gateway.send(call(1, 'hang'));
    gateway.send(call(2, name));
    expect((await gateway.exit).reason).toBe('upstream_exited');
    for (const id of [1, 2]) {
      expect(await gateway.answer(id)).toMatchObject({
        error: { code: -32603, message: fault.message, data: { effect: 'unknown' } },
      });
    }
    expect(gateway.governor.runs.map(({ end }) => end)).toEqual([
      { status: 'unknown', note: 'upstream exited' },
      { status: 'unknown', note: 'upstream exited' },
    ]);
  });

  it('an upstream that cannot be started is told as such', async () => {
    const gateway = startGateway({ upstream: { command: '/nonexistent/server', args: [] } });
    gateway.send(call(1, 'echo'));
    expect(await gateway.exit).toEqual({
      reason: 'upstream_failed',
      upstream: { code: null, signal: null, failedToStart: true },
    });
  });

  it('an upstream that quits at once is told with its status', async () => {
    const gateway = startGateway({ serverArgs: ['--quit'] });
    expect(await gateway.exit).toMatchObject({ reason: 'upstream_exited', upstream: { code: 3 } });
  });

  it('an upstream that hangs does not hang the call', async () => {
    const gateway = startGateway({ limits: { callTimeoutMs: 50 } });
    await gateway.initialize();
    gateway.send(call(1, 'hang'));
    expect(await gateway.answer(1)).toHaveProperty('error.message', FAULTS.silent.message);
    gateway.send(call(2, 'echo'));
    expect(await gateway.answer(2)).toHaveProperty('result');
    gateway.input.end();
    await gateway.exit;
    expect(gateway.governor.runs[0]?.end).toEqual({ status: 'unknown', note: 'upstream did not answer' });
  });

  it.each(['garbage', 'batch', 'wrong-id'])(
    'an upstream that answers with %s gets a clean error',
    async (name) => {
      const gateway = startGateway({ limits: { garbageGraceMs: 50, callTimeoutMs: 300 } });
      await gateway.initialize();
      gateway.send(call(1, name));
      expect(await gateway.answer(1)).toHaveProperty('error.code', -32603);
      gateway.send(call(2, 'echo'));
      expect(await gateway.answer(2)).toHaveProperty('result');
      gateway.input.end();
      await gateway.exit;
      expect(gateway.governor.runs[0]?.end).toMatchObject({ status: 'unknown' });
    },
  );

  it('an upstream that answers twice is heard once', async () => {
    const gateway = startGateway();
    await gateway.initialize();
    gateway.send(call(1, 'twice'));
    gateway.send(call(2, 'echo'));
    await gateway.answer(2);
    gateway.input.end();
    await gateway.exit;
    expect(gateway.received.filter(({ id }) => id === 1)).toMatchObject([
      { result: { content: [{ text: 'first' }] } },
    ]);
  });

  it('an upstream that prints a banner is forgiven', async () => {
    const gateway = startGateway({ serverArgs: ['--banner'] });
    await gateway.initialize();
    gateway.send(call(1, 'echo'));
    expect(await gateway.answer(1)).toHaveProperty('result');
    gateway.input.end();
    await gateway.exit;
    expect(JSON.stringify(gateway.received)).not.toContain('listening');
  });

  it.each([
    ['large', { bytes: 200_000 }],
    ['endless', {}],
  ])('an upstream whose message is too long (%s) is killed; memory stays bounded', async (name, args) => {
    const gateway = startGateway({ limits: { maxServerMessageBytes: 100_000 } });
    await gateway.initialize();
    const before = process.memoryUsage().rss;
    gateway.send(call(1, 'hang'));
    gateway.send(call(2, name, args));
    expect(await gateway.exit).toMatchObject({ reason: 'upstream_failed' });
    for (const id of [1, 2]) {
      expect(await gateway.answer(id)).toHaveProperty('error.message', FAULTS.oversized.message);
    }
    expect(gateway.governor.runs.map(({ end }) => end?.note)).toEqual([
      'upstream sent an oversized message',
      'upstream sent an oversized message',
    ]);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('a large message within the limit passes', async () => {
    const gateway = startGateway();
    await gateway.initialize();
    gateway.send(call(1, 'large', { bytes: 5_000_000 }));
    expect(JSON.stringify(await gateway.answer(1)).length).toBeGreaterThan(5_000_000);
    gateway.input.end();
    await gateway.exit;
  });

  it('a client whose message is too long hears so at once, and goes on', async () => {
    const gateway = startGateway({ limits: { maxClientMessageBytes: 1000 } });
    await gateway.initialize();
    gateway.input.write('x'.repeat(2000));
    expect(await gateway.answer(null)).toHaveProperty('error.data.code', 'request.too_large');
    for (let chunk = 0; chunk < 1000; chunk += 1) gateway.input.write('x'.repeat(10_000));
    gateway.input.write('"}\n');
    gateway.send(call(1, 'echo'));
    expect(await gateway.answer(1)).toHaveProperty('result');
    gateway.input.end();
    await gateway.exit;
    expect(gateway.recorded()).not.toContain('xxx');
  });

  it('keeps WRIT_ variables, the key and the passphrase from the upstream', async () => {
    process.env.WRIT_TEST_PASSPHRASE = 'hunter2';
    process.env.ORDINARY_VARIABLE = 'visible';
    try {
      const gateway = startGateway();
      await gateway.initialize();
      gateway.send(call(1, 'environment'));
      const text = JSON.stringify(await gateway.answer(1));
      expect(text).toContain('visible');
      expect(text).not.toContain('hunter2');
      expect(text).not.toMatch(/WRIT_/i);
      gateway.input.end();
      await gateway.exit;
    } finally {
      delete process.env.WRIT_TEST_PASSPHRASE;
      delete process.env.ORDINARY_VARIABLE;
    }
  });

  it("passes the upstream's stderr on without what a terminal would obey", async () => {
    const gateway = startGateway();
    await gateway.initialize();
    gateway.send(call(1, 'noise', { text: 'hello' }));
    await gateway.answer(1);
    gateway.input.end();
    await gateway.exit;
    expect(gateway.stderr()).toContain('noise ?[31mhello');
  });

  it('says nothing of arguments or results on stderr, whatever happens', async () => {
    const gateway = startGateway({ limits: { garbageGraceMs: 10 } });
    await gateway.initialize();
    gateway.send(
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"password":"hunter2"}',
    );
    gateway.send(call(2, 'echo', { password: 'hunter2' }));
    gateway.send({ jsonrpc: '2.0', id: 3, method: 'hunter2/hunter2' });
    gateway.send({ jsonrpc: '2.0', method: 'notifications/hunter2' });
    gateway.send(call(4, 'garbage'));
    await gateway.answer(4);
    gateway.input.end();
    await gateway.exit;
    expect(gateway.stderr()).toContain('refused a line from the client');
    expect(gateway.stderr()).not.toContain('hunter2');
  });

  it('kills an upstream that does not want to end, with all it started', async () => {
    const gateway = startGateway({
      serverArgs: ['--stubborn'],
      limits: { exitGraceMs: 50, termGraceMs: 50 },
    });
    await gateway.initialize();
    gateway.send(call(1, 'grandchild'));
    const { result } = await gateway.answer(1);
    const pid = Number(JSON.stringify(result).match(/"text":"(\d+)"/)?.[1]);
    expect(() => process.kill(pid, 0)).not.toThrow();
    gateway.input.end();
    expect(await gateway.exit).toMatchObject({ upstream: { signal: 'SIGKILL' } });
    await expect.poll(() => isRunning(pid)).toBe(false);
  });

  it('ends at once when it is told to', async () => {
    const stop = new AbortController();
    const gateway = startGateway({ serverArgs: ['--stubborn'], signal: stop.signal });
    await gateway.initialize();
    gateway.send(call(1, 'hang'));
    await expect.poll(() => gateway.recorded()).toContain('hang');
    stop.abort();
    expect(await gateway.exit).toMatchObject({ reason: 'stopped', upstream: { signal: 'SIGKILL' } });
    expect(await gateway.answer(1)).toHaveProperty('error.data.effect', 'unknown');
    expect(gateway.governor.runs[0]?.end).toEqual({ status: 'unknown', note: 'session ended' });
  });

  it('ends when the client stops listening', async () => {
    const gateway = startGateway();
    await gateway.initialize();
    gateway.output.destroy(new Error('EPIPE'));
    expect(await gateway.exit).toMatchObject({ reason: 'client_closed' });
  });

  it('stops what no longer stands', async () => {
    const gateway = startGateway();
    await gateway.initialize();
    gateway.send(call(1, 'hang'));
    await expect.poll(() => gateway.recorded()).toContain('hang');
    gateway.governor.runs[0]?.abort.abort(deny('revocation.revoked', 'token'));
    expect(await gateway.answer(1)).toHaveProperty('error.data.code', 'revocation.revoked');
    await expect.poll(() => gateway.recorded()).toContain('notifications/cancelled');
    gateway.input.end();
    await gateway.exit;
  });

  it('lets permitted sampling through both ways, and answers denied sampling itself', async () => {
    const permitted = startGateway();
    await permitted.initialize();
    permitted.send(call(1, 'sample'));
    await permitted.next(({ method }) => method === 'sampling/createMessage');
    permitted.send({ jsonrpc: '2.0', id: 'sample-1', result: { model: 'm' } });
    expect(JSON.stringify(await permitted.answer(1))).toContain('model');
    permitted.input.end();
    await permitted.exit;

    const denied = startGateway({
      decide: ({ tool }) => (tool.includes('sampling') ? NOT_GRANTED : undefined),
    });
    await denied.initialize();
    denied.send(call(1, 'sample'));
    expect(JSON.stringify(await denied.answer(1))).toContain('scope.tool_not_granted');
    expect(denied.received.map(({ method }) => method)).not.toContain('sampling/createMessage');
    denied.input.end();
    await denied.exit;
  });

  it('sees a tool change under it', async () => {
    const digests = new Set<string>();
    const gateway = startGateway({
      onDefinitions: (tools) =>
        digests.add(tools.find(({ id }) => id === 'mcp://fs/tools/echo')?.digest ?? ''),
    });
    await gateway.initialize();
    gateway.send(call(1, 'poison'));
    await gateway.answer(1);
    await gateway.next(({ method }) => method === 'notifications/tools/list_changed');
    gateway.send(call(2, 'echo'));
    await gateway.answer(2);
    expect(digests.size).toBe(2);
    const [first, second] = gateway.governor.runs.map(({ action }) => action.toolDigest);
    expect(first).not.toBe(second);
    gateway.input.end();
    await gateway.exit;
  });

  it('holds back an upstream when the client does not read', async () => {
    const gateway = startGateway();
    await gateway.initialize();
    gateway.output.pause();
    for (let id = 0; id < 12; id += 1) gateway.send(call(id, 'large', { bytes: 1_000_000 }));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(gateway.output.writableLength).toBeLessThan(8 * 1024 * 1024);
    gateway.output.resume();
    for (let id = 0; id < 12; id += 1) await gateway.answer(id);
    gateway.input.end();
    await gateway.exit;
  });

  it('refuses a name that cannot stand in tool identifiers', async () => {
    await expect(runMcpGateway({ name: 'a/b' } as never)).rejects.toThrow(TypeError);
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
