import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { plantEntry } from '../../../test/support/planted-entry.ts';
import { SigningKey } from '../../key/index.ts';
import { leafHash, noteVerifier } from '../../tlog/index.ts';
import { openSqliteLog, type RebuildOptions, rebuildLog, verifyLog, withSqliteLog } from './index.ts';

const ORIGIN = 'rebuild.example/log';
const SIGNER = SigningKey.fromSeed(new Uint8Array(32).fill(21));
const LOG_KEY = noteVerifier(ORIGIN, SIGNER.publicKey);
const EARLIER = 300;
const SIZE = 600;

let originals: string;
let directory: string;

const at = (name: string) => join(originals, name);
const append = (folder: string, start: number, end: number) =>
  withSqliteLog({ directory: folder, origin: ORIGIN, signer: SIGNER }, async (log) => {
    const entries = Array.from({ length: end - start }, (_, n) => Buffer.from(`entry ${start + n}`));
    await Promise.all(entries.map((entry) => log.append({ entry })));
  });

beforeAll(async () => {
  originals = mkdtempSync(join(tmpdir(), 'writ-originals-'));
  await append(at('now'), 0, EARLIER);
  cpSync(at('now'), at('earlier'), { recursive: true });
  await append(at('now'), EARLIER, SIZE);
});
afterAll(() => rmSync(originals, { recursive: true, force: true }));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-rebuild-'));
  cpSync(at('now'), directory, { recursive: true });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = (path: string) => join(directory, path);
const rebuild = (change: Partial<RebuildOptions> = {}) =>
  rebuildLog({ directory, logKeys: [LOG_KEY], signer: SIGNER, ...change });

function sql(statement: string, ...values: (Uint8Array | number)[]): void {
  const db = new DatabaseSync(file('log.sqlite'));
  db.prepare(statement).run(...values);
  db.close();
}

const digestOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Every file that a log publishes, by path. */
function published(folder = directory): Map<string, string> {
  const names = readdirSync(join(folder, 'tile'), { recursive: true, withFileTypes: true });
  const files = names.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
  return new Map(
    [...files, join(folder, 'checkpoint')].sort().map((each) => [each.slice(folder.length), digestOf(each)]),
  );
}

const expectWhole = async () => {
  expect(published()).toEqual(published(at('now')));
  expect(await verifyLog(directory, LOG_KEY)).toMatchObject({ verified: true, notes: [], trustedSize: SIZE });
};

/** The refusal leaves everything as it is, and no lock. */
async function expectRefused(code: string, change: Partial<RebuildOptions> = {}): Promise<void> {
  // SQLite's own files come and go with its readers.
  const names = () => readdirSync(directory).filter((name) => !/-(?:wal|shm)$/.test(name));
  const before = names();
  const tiles = readdirSync(file('tile'), { recursive: true });
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await expect(rebuild(change)).rejects.toMatchObject({ name: 'LogUnavailable', fault: code });
  }
  expect(names()).toEqual(before);
  expect(readdirSync(file('tile'), { recursive: true })).toEqual(tiles);
}

describe('rebuilding a log', () => {
  it('changes nothing where all is well', async () => {
    expect(await rebuild()).toEqual({ size: SIZE, restored: [], checkpoint: 'kept', asideFolder: undefined });
    await expectWhole();
  });

  it('restores tiles that are lost, truncated, swapped or garbage, keeps the bad ones, and leaves the good ones alone', async () => {
    rmSync(file('tile/entries/001'));
    writeFileSync(file('tile/1/000.p/2'), readFileSync(file('tile/1/000.p/2')).subarray(0, 40));
    const [first, second] = [readFileSync(file('tile/0/000')), readFileSync(file('tile/0/001'))];
    writeFileSync(file('tile/0/000'), second);
    writeFileSync(file('tile/0/001'), first);
    writeFileSync(file('tile/entries/002.p/88'), 'garbage');
    const { restored, checkpoint, asideFolder } = await rebuild();
    expect([...restored].sort()).toEqual([
      'tile/0/000',
      'tile/0/001',
      'tile/1/000.p/2',
      'tile/entries/001',
      'tile/entries/002.p/88',
    ]);
    expect(checkpoint).toBe('kept');
    expect(readFileSync(join(file(asideFolder ?? ''), 'tile/entries/002.p/88'), 'utf8')).toBe('garbage');
    await expectWhole();
  });

  it('restores tiles under the published checkpoint without the key that signed it', async () => {
    rmSync(file('tile'), { recursive: true });
    const { restored } = await rebuildLog({ directory, logKeys: [LOG_KEY] });
    expect(restored).toHaveLength(7);
    // A partial tile that an earlier checkpoint had is not needed any more.
    const now = published(at('now'));
    for (const [path, digest] of published()) expect(now.get(path)).toBe(digest);
    expect(await verifyLog(directory, LOG_KEY)).toMatchObject({ verified: true, trustedSize: SIZE });
  });

  it.each([
    ['lost', () => rmSync(file('checkpoint'))],
    ['garbage', () => writeFileSync(file('checkpoint'), 'garbage')],
    ['too long to be one', () => writeFileSync(file('checkpoint'), 'x'.repeat(2_000_000))],
  ])('signs the checkpoint again when it is %s', async (_, damage) => {
    damage();
    expect(await rebuild()).toMatchObject({ checkpoint: 'restored', size: SIZE });
    await expectWhole();
  });

  it('moves on a checkpoint that was rolled back', async () => {
    cpSync(join(at('earlier'), 'checkpoint'), file('checkpoint'));
    expect(await verifyLog(directory, LOG_KEY)).toMatchObject({
      verified: true,
      notes: [{ code: 'checkpoint_behind', where: 'checkpoint' }],
      trustedSize: EARLIER,
    });
    expect(await rebuild()).toMatchObject({ checkpoint: 'moved', size: SIZE });
    await expectWhole();
  });

  it('can be run again when it was stopped after the checkpoint was moved aside', async () => {
    rmSync(file('checkpoint'));
    rmSync(file('tile/entries'), { recursive: true });
    await rebuild();
    await expectWhole();
  });

  it('is refused while the log is open', async () => {
    const log = await openSqliteLog({ directory, origin: ORIGIN, signer: SIGNER });
    await expect(rebuild()).rejects.toMatchObject({ fault: 'locked' });
    await log.close();
  });
});

describe('rebuilding a log is refused when database and published files disagree about history:', () => {
  it('the database went back behind the signed checkpoint', async () => {
    cpSync(join(at('earlier'), 'log.sqlite'), file('log.sqlite'));
    await expectRefused('rolled_back');
  });

  it('the database went back behind the tiles, and no checkpoint says so any more', async () => {
    cpSync(join(at('earlier'), 'log.sqlite'), file('log.sqlite'));
    cpSync(join(at('earlier'), 'checkpoint'), file('checkpoint'));
    await expectRefused('rolled_back');
    // Neither does the writer go on from there.
    await expect(append(directory, EARLIER, EARLIER + 1)).rejects.toMatchObject({ fault: 'rolled_back' });
    expect((await verifyLog(directory, LOG_KEY)).problems[0]).toMatchObject({
      code: 'rolled_back',
      where: 'database',
    });
    rmSync(file('checkpoint'));
    await expectRefused('rolled_back');
  });

  it('the database is of another history', async () => {
    const forked = at('forked');
    cpSync(at('earlier'), forked, { recursive: true });
    await withSqliteLog({ directory: forked, origin: ORIGIN, signer: SIGNER }, async (log) => {
      const others = Array.from({ length: SIZE }, (_, n) => log.append({ entry: Buffer.from(`other ${n}`) }));
      await Promise.all(others);
    });
    cpSync(join(forked, 'log.sqlite'), file('log.sqlite'));
    await expectRefused('history_differs');
    // Without a signed head the tiles still tell.
    const kept = readFileSync(file('checkpoint'), 'utf8');
    rmSync(file('checkpoint'));
    await expectRefused('history_differs');
    // A head that was kept elsewhere tells too.
    rmSync(file('tile'), { recursive: true });
    await expect(rebuild({ keptCheckpoint: kept })).rejects.toMatchObject({ fault: 'history_differs' });
    expect(existsSync(file('checkpoint'))).toBe(false);
  });

  it('an entry was exchanged together with its hashes', async () => {
    sql(
      'UPDATE entry SET body = ?, leaf = ? WHERE idx = 300',
      Buffer.from('forged'),
      leafHash(Buffer.from('forged')),
    );
    await expectRefused('damaged');
  });

  it('an entry was altered', async () => {
    sql('UPDATE entry SET body = ? WHERE idx = 300', Buffer.from('forged'));
    await expectRefused('entry_altered');
  });

  it('nothing is signed for entries that someone else put there', async () => {
    plantEntry(directory, Buffer.from('planted'));
    expect(await rebuild()).toMatchObject({ checkpoint: 'kept', size: SIZE });
    rmSync(file('checkpoint'));
    await expectRefused('foreign_entries');
  });

  it('nothing is signed without the key, or under another one', async () => {
    rmSync(file('checkpoint'));
    await expect(rebuildLog({ directory, logKeys: [LOG_KEY] })).rejects.toMatchObject({
      fault: 'foreign_entries',
    });
    await expectRefused('foreign_entries', { signer: SigningKey.generate() });
  });
});

it('a checkpoint that was kept elsewhere lets a log without one be rebuilt, tiles damaged and all', async () => {
  const keptCheckpoint = readFileSync(file('checkpoint'), 'utf8');
  rmSync(file('checkpoint'));
  writeFileSync(file('tile/0/001'), 'garbage');
  await expectRefused('history_differs');
  expect(await rebuild({ keptCheckpoint })).toMatchObject({
    checkpoint: 'restored',
    restored: ['tile/0/001'],
  });
  await expectWhole();
  await expectRefused('checkpoint_damaged', { keptCheckpoint: 'garbage' });
});
