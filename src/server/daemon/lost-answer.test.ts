import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startDaemon } from '../../../test/support/daemon-client.ts';
import { nowSeconds, READ, TestDomain } from '../../../test/support/trust-domain.ts';
import { DaemonLink, findExecution, RemoteGovernor } from '../../governor/index.ts';
import type { Daemon } from './daemon.ts';

/** Between an enforcement point and the real daemon: what it does with the bytes that hold a permit. */
type Wire = (permit: Buffer, toPoint: Socket) => void;

let domain: TestDomain;
let daemon: Daemon;
let wire: Server;
let onPermit: Wire;
let effects = 0;

const PERMIT = '"status":201';
const effect = async () => {
  effects += 1;
  return { status: 'succeeded', value: 1 } as const;
};

beforeEach(async () => {
  effects = 0;
  domain = await TestDomain.create();
  daemon = await startDaemon(domain.home);
  wire = createServer((toPoint) => {
    const toDaemon = connectSocket(daemon.socketPath);
    toPoint.on('data', (bytes) => toDaemon.write(bytes)).on('error', () => undefined);
    toPoint.on('close', () => toDaemon.destroy());
    toDaemon.on('close', () => toPoint.destroy()).on('error', () => undefined);
    toDaemon.on('data', (bytes: Buffer) => {
      if (bytes.includes(PERMIT)) onPermit(bytes, toPoint);
      else toPoint.write(bytes);
    });
  });
  await new Promise<void>((resolve) => wire.listen(join(domain.folder, 'wire.sock'), resolve));
});
afterEach(async () => {
  wire.close();
  await daemon.close();
  domain.dispose();
});

function connect(answerTimeoutMs?: number): Promise<RemoteGovernor> {
  return RemoteGovernor.connect({
    name: 'web',
    components: [],
    measuredAtSeconds: nowSeconds(),
    link: async () => new DaemonLink(join(domain.folder, 'wire.sock'), answerTimeoutMs),
  });
}

function call(audience: string) {
  const token = domain.issue({ audiences: [audience] });
  return domain.call([token], { audience, tool: READ, args: { path: '/data/file.txt' } });
}

test('a permit that is lost on the way is not asked for again with success: its proof is consumed, and nothing runs', async () => {
  onPermit = (_permit, toPoint) => toPoint.destroy();
  const point = await connect();
  const outcome = await point.run(call(point.audience), effect);
  expect(outcome).toMatchObject({ verdict: 'deny', denial: { code: 'replay.detected' } });
  expect(effects).toBe(0);
  await expect.poll(() => daemon.status().running).toBe(0);
  // It goes on with the next call.
  onPermit = (permit, toPoint) => toPoint.write(permit);
  expect(await point.run(call(point.audience), effect)).toMatchObject({ verdict: 'permit' });
  expect(effects).toBe(1);
  await point.close();
});

test('a permit that comes when nobody waits any more is concluded as unknown, and nothing runs', async () => {
  const held: (() => void)[] = [];
  let execution = '';
  onPermit = (permit, toPoint) => {
    [, execution = ''] = /"execution":"([^"]+)"/.exec(permit.toString()) ?? [];
    held.push(() => toPoint.write(permit));
  };
  const point = await connect(3000);
  const outcome = await point.run(call(point.audience), effect);
  expect(outcome).toMatchObject({ verdict: 'deny', denial: { code: 'log.unavailable' } });
  expect(daemon.status().running).toBe(1);
  for (const release of held) release();
  await expect.poll(() => daemon.status().running).toBe(0);
  expect(effects).toBe(0);
  await point.close();
  await daemon.close();
  const found = findExecution(domain.home, execution);
  found?.reader.close();
  expect(found?.record.outcome).toMatchObject({
    status: 'unknown',
    note: 'permitted too late: nothing was run',
  });
});
