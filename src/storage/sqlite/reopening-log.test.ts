import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SmallDisk } from '../../../test/support/small-disk.ts';
import { SigningKey } from '../../key/index.ts';
import { LogUnavailable, noteVerifier } from '../../tlog/index.ts';
import { openSqliteLog, ReopeningLog, verifyLog } from './index.ts';

const ORIGIN = 'full.example/log';
const SIGNER = SigningKey.fromSeed(new Uint8Array(32).fill(9));
const ENTRY_BYTES = 4_000;

enableCompileCache();

let folder: string;
let directory: string;
let disk: SmallDisk | undefined;
let log: ReopeningLog | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-reopen-'));
  directory = join(folder, 'log');
  disk = SmallDisk.mount(directory, '8m');
});
afterEach(async () => {
  await log?.close();
  log = undefined;
  disk?.unmount();
  rmSync(folder, { recursive: true, force: true });
});

const open = (publishIntervalMs = 10) =>
  ReopeningLog.open({ directory, origin: ORIGIN, signer: SIGNER, publishIntervalMs, reopenAfterMs: 5 });
const consume = (id: string) => ({ id, expiresAtSeconds: Date.now() / 1000 + 600 });
const request = (id: string) => ({
  entry: Buffer.from(id.padEnd(ENTRY_BYTES, '.')),
  keys: [`key:${id}`],
  consume: consume(id),
});

/** Ids that were acknowledged before the disk was full, and those that were not. */
async function fill(into: ReopeningLog): Promise<{ acknowledged: string[]; refused: string[] }> {
  disk?.fill(600_000);
  const acknowledged: string[] = [];
  const refused: string[] = [];
  for (let wave = 0; refused.length === 0; wave += 1) {
    const ids = Array.from({ length: 16 }, (_, at) => `${wave}-${at}`);
    const results = await Promise.allSettled(ids.map((id) => into.append(request(id))));
    for (const [at, { status }] of results.entries()) {
      (status === 'fulfilled' ? acknowledged : refused).push(ids[at] ?? '');
    }
  }
  return { acknowledged, refused };
}

const faultOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => (error instanceof LogUnavailable ? error.fault : error),
  );

describe('a log whose disk was full', () => {
  it('takes nothing until there is room, then goes on with all it acknowledged and all that was kept, once', async (context) => {
    if (disk === undefined) return context.skip();
    log = await open();
    const { acknowledged, refused } = await fill(log);
    expect(acknowledged.length).toBeGreaterThan(0);
    const size = log.head().size;
    expect(size).toBe(acknowledged.length);
    expect(log.failure?.fault).toBe('disk_full');
    log.keep({ entry: Buffer.from('an outcome'), keys: ['outcome:1'] });
    log.keep({ entry: Buffer.from('an outcome that stands'), keys: [`key:${acknowledged[0]}`] });
    expect(await faultOf(log.append(request('meanwhile')))).toBe('disk_full');
    expect(await faultOf(log.checkpoint())).toBe('disk_full');

    const back = new Promise<void>((resolve) => {
      if (log !== undefined) log.onReopened = resolve;
    });
    disk.free();
    await back;
    expect(log.failure).toBeUndefined();
    // Before anything else could be appended.
    const [outcome = -1] = log.lookup('outcome:1');
    expect(log.head().size).toBe(outcome + 1);
    expect(log.lookup(`key:${acknowledged[0]}`)).toEqual([0]);
    for (const id of acknowledged) {
      expect(await log.append(request(id))).toEqual({ kind: 'replayed' });
    }
    // Nobody was told that these are recorded; either way each of them is so at most once from here on.
    for (const id of refused) await log.append(request(id));
    for (const id of refused) expect(log.lookup(`key:${id}`)).toHaveLength(1);
    expect(await log.append(request('afterwards'))).toMatchObject({ kind: 'appended' });
    await log.close();
    const { problems, ...verified } = await verifyLog(directory, noteVerifier(ORIGIN, SIGNER.publicKey));
    expect([problems, verified]).toMatchObject([[], { verified: true }]);
  });

  it('does not go on with an older log that was put in its place, though that one agrees with itself', async (context) => {
    if (disk === undefined) return context.skip();
    log = await open();
    await log.append(request('early'));
    await log.close();
    const older = join(folder, 'older');
    cpSync(directory, older, { recursive: true });
    // Nothing but the database could tell: no newer checkpoint is there.
    log = await open(60_000);
    const { acknowledged } = await fill(log);
    for (const name of readdirSync(directory)) {
      if (name !== 'ballast' && !name.startsWith('writer.'))
        rmSync(join(directory, name), { recursive: true });
    }
    disk.free();
    cpSync(older, directory, { recursive: true, filter: (path) => !path.includes('writer.') });
    await vi.waitFor(() => expect(log?.failure?.message).toContain('what it has acknowledged'));
    expect(await faultOf(log.append(request(acknowledged.at(-1) ?? '')))).toBe('rolled_back');
    await log.close();
    const left = await openSqliteLog({ directory, origin: ORIGIN, signer: SIGNER });
    expect(left.head().size).toBe(1);
    await left.close();
  });

  it('makes no new log where the old one is gone', async (context) => {
    if (disk === undefined) return context.skip();
    log = await open();
    await fill(log);
    for (const name of readdirSync(directory)) {
      if (name.startsWith('log.sqlite')) rmSync(join(directory, name));
    }
    disk.free();
    await vi.waitFor(() => expect(log?.failure?.message).toContain('does not hold the log any more'));
    expect(await faultOf(log.append(request('again')))).toBe('failed');
    expect(existsSync(join(directory, 'log.sqlite'))).toBe(false);
  });
});
