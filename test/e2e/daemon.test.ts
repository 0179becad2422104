import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writ } from '../../src/cli/run.test-support.ts';
import type { JsonObject } from '../../src/codec/index.ts';
import { connect, runWrit, startWrit, writJson } from './cli-program.ts';

const SERVER = createRequire(import.meta.url).resolve(
  '@modelcontextprotocol/server-filesystem/dist/index.js',
);

let folder = '';
let file = '';
let daemon: ChildProcessWithoutNullStreams | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writ-daemon-'));
  mkdirSync(join(folder, 'work'));
  file = join(folder, 'work', 'notes.txt');
  writeFileSync(file, 'remember the milk\n');
  await writJson(folder, 'init', '--server', 'fs', '--', process.execPath, SERVER, 'work');
});
afterAll(() => {
  daemon?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** A daemon of the domain, once it listens. */
async function startDaemon(): Promise<ChildProcessWithoutNullStreams> {
  const child = startWrit(folder, '--json', 'up');
  daemon = child;
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the daemon exited with ${code}`)));
  });
  return child;
}

function ended(child: ChildProcessWithoutNullStreams): Promise<number | null> {
  return child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve(child.exitCode)
    : new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  const answered = await call.catch((error: unknown) => error);
  return answered instanceof Error && 'data' in answered ? (answered.data as JsonObject).code : 'permitted';
}

function get(path: string, socketPath = join(folder, '.writ/run/writ.sock')): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.once('end', () => resolve([response.statusCode ?? 0, text]));
    })
      .once('error', reject)
      .end();
  });
}

async function lastDecision(): Promise<JsonObject> {
  const { decisions } = await writJson(folder, 'log', 'show', '--tail', '1');
  return (decisions as unknown as JsonObject[])[0] ?? {};
}

describe('the daemon', () => {
  it('decides and records for a gateway, and is the one writer of governance', async () => {
    const child = await startDaemon();
    const client = await connect(folder, '--name', 'fs');
    const read = () => client.callTool({ name: 'read_text_file', arguments: { path: file } });
    expect(JSON.stringify(await read())).toContain('remember the milk');
    expect(await lastDecision()).toMatchObject({ verdict: 'permit', log: 'fs' });
    // Nobody but the daemon holds the log of the gateway.
    expect(JSON.parse(readFileSync(join(folder, '.writ/execution/fs/writer.json'), 'utf8'))).toMatchObject({
      pid: child.pid,
    });
    const written = join(folder, 'work', 'written.txt');
    expect(
      await codeOf(client.callTool({ name: 'write_file', arguments: { path: written, content: 'x' } })),
    ).toBe('scope.tool_not_granted');
    expect(existsSync(written)).toBe(false);

    await writJson(folder, 'artifact', 'revoke', '--artifact', 'agent-fs', '--reason', 'test');
    expect(await codeOf(read())).toBe('revocation.revoked');
    expect(await lastDecision()).toMatchObject({ verdict: 'deny', code: 'revocation.revoked' });
    await client.close();

    await writJson(folder, 'init', '--server', 'fs', '--', process.execPath, SERVER, 'work');
    const again = await connect(folder, '--name', 'fs');
    expect(await codeOf(again.callTool({ name: 'read_text_file', arguments: { path: file } }))).toBe(
      'permitted',
    );
    await again.close();
  }, 60_000);

  it('says how it is: status, health, readiness, metrics, what its API is', async () => {
    expect(await writJson(folder, 'up', 'status')).toMatchObject({ running: true, ready: true });
    expect(await get('/healthz')).toEqual([200, 'ok\n']);
    expect(await get('/readyz')).toEqual([200, 'ready\n']);
    const [, metrics] = await get('/metrics');
    expect(metrics).toContain('writ_decisions_total{verdict="permit",code="",stage=""} 2');
    expect(metrics).toContain('verdict="deny",code="revocation.revoked",stage="revocation"} 1');
    const [, openapi] = await get('/openapi.json');
    expect(Object.keys(JSON.parse(openapi).paths)).toContain('/v1/enforcement-points/{name}/session');
    const [status, problem] = await get('/v1/nothing');
    expect([status, JSON.parse(problem)]).toMatchObject([404, { status: 404 }]);
  });

  it('is the only one: a second one is refused and told who holds the logs', async () => {
    const second = await runWrit(folder, '--json', 'up');
    expect(second.code).toBe(1);
    expect(JSON.parse(second.out).error).toMatchObject({ code: 'daemon.running' });
    expect(second.out).toContain(`process ${daemon?.pid}`);
    expect(await get('/healthz')).toEqual([200, 'ok\n']);
  });

  it('killed, it lets nothing run; started again, it has lost nothing', async () => {
    const client = await connect(folder, '--name', 'fs', '--daemon', 'running');
    const written = join(folder, 'work', 'copy.txt');
    const read = () => client.callTool({ name: 'read_text_file', arguments: { path: file } });
    await read();
    // What ended it is told to be recorded, and is durable a moment later.
    await expect.poll(async () => (await lastDecision()).outcome).toBe('succeeded');
    const before = await lastDecision();
    daemon?.kill('SIGKILL');
    if (daemon !== undefined) await ended(daemon);
    expect(await codeOf(read())).toBe('log.unavailable');
    expect(
      await codeOf(client.callTool({ name: 'write_file', arguments: { path: written, content: 'x' } })),
    ).toBe('log.unavailable');
    expect(existsSync(written)).toBe(false);
    expect(await lastDecision()).toEqual(before);

    await startDaemon();
    // The gateway finds the new one by itself.
    expect(await codeOf(read())).toBe('permitted');
    expect((await lastDecision()).execution).not.toBe(before.execution);
    await client.close();
    expect(await writJson(folder, 'log', 'verify')).toMatchObject({ verified: true });
  }, 60_000);

  it('told to end, records how everything ended, and leaves nothing to be found', async () => {
    const child = daemon;
    const client = await connect(folder, '--name', 'fs');
    await client.callTool({ name: 'read_text_file', arguments: { path: file } });
    expect(await writJson(folder, 'up', 'down')).toMatchObject({ running: false });
    expect(child && (await ended(child))).toBe(0);
    expect(existsSync(join(folder, '.writ/run/daemon.json'))).toBe(false);
    expect(existsSync(join(folder, '.writ/run/writ.sock'))).toBe(false);
    expect(await lastDecision()).toMatchObject({ verdict: 'permit', outcome: 'succeeded' });
    await client.close();
    // Without one, commands write the log themselves again.
    await writJson(folder, 'agent', 'enroll', 'other', '--new');
    expect((await writ({ cwd: folder }, '--json', 'up', 'status')).json).toMatchObject({ running: false });
  }, 60_000);

  it('is not believed where others could stand behind its socket', async () => {
    const shared = mkdtempSync(join(tmpdir(), 'writ-shared-'));
    chmodSync(shared, 0o777);
    const socket = join(shared, 'writ.sock');
    const home = realpathSync(join(folder, '.writ'));
    const address = { type: 'writ/daemon@v1', pid: 1, home, socket, version: '0', startedAt: 'now' };
    writeFileSync(join(folder, '.writ/run/daemon.json'), JSON.stringify(address));
    const refused = await writ({ cwd: folder }, '--json', 'agent', 'enroll', 'third', '--new');
    expect(refused.code).toBe(1);
    expect(refused.out).toContain('not this user');
    rmSync(join(folder, '.writ/run/daemon.json'));
    rmSync(shared, { recursive: true });
  });
});
