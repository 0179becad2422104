import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SigningKey } from '../../src/key/index.ts';
import {
  openSqliteLog,
  openSqliteLogReader,
  rebuildLog,
  verifyLog,
  withSqliteLog,
} from '../../src/storage/index.ts';
import {
  formatCheckpoint,
  LOG_FAULTS,
  type LogFault,
  LogUnavailable,
  noteSigner,
  noteVerifier,
  signNote,
} from '../../src/tlog/index.ts';

// What a log meets in real life, one by one: each has its code, and a message that says what to do.

const ORIGIN = 'faults.example/log';
const SIGNER = SigningKey.fromSeed(new Uint8Array(32).fill(31));
const LOG_KEY = noteVerifier(ORIGIN, SIGNER.publicKey);
const SIZE = 600;

let folder: string;
let directory: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-log-faults-'));
  directory = join(folder, 'log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const options = () => ({ directory, origin: ORIGIN, signer: SIGNER });
const file = (path: string) => join(directory, path);
const entryAt = (index: number) => Buffer.from(`entry ${index} `.padEnd(100, '.'));
const append = (start: number, count: number) =>
  withSqliteLog(options(), async (log) => {
    await Promise.all(Array.from({ length: count }, (_, at) => log.append({ entry: entryAt(start + at) })));
    return log.head().size;
  });

/** The failure has its code, and its message ends with what to do. */
async function failureOf(work: Promise<unknown>): Promise<LogFault | undefined> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof LogUnavailable)) return undefined;
  expect(error.message).toContain(LOG_FAULTS[error.fault]);
  return error.fault;
}

const problems = async () => {
  const found = await verifyLog(directory, LOG_KEY);
  return { ...found, codes: found.problems.map(({ code, where }) => `${code} ${where}`) };
};

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const mount = (...args: string[]) => spawnSync('mount', args, { stdio: 'ignore' }).status === 0;

/** A file system of its own; false, and said so, where we may not mount one. */
function mountSmall(size: string): boolean {
  mkdirSync(directory, { mode: 0o700 });
  if (isRoot && mount('-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', directory)) return true;
  process.stderr.write('SKIPPED: a file system of its own needs root and the right to mount\n');
  return false;
}
const unmount = () => spawnSync('umount', ['-l', directory], { stdio: 'ignore' });

describe('a full disk', () => {
  it('ends the log with disk_full, loses nothing acknowledged, and once there is room the log goes on', async (context) => {
    if (!mountSmall('3m')) return context.skip();
    try {
      const log = await openSqliteLog(options());
      let acknowledged = 0;
      const fill = async () => {
        for (;;) {
          const wave = Array.from({ length: 64 }, (_, at) =>
            log.append({ entry: Buffer.alloc(4_000, acknowledged + at) }),
          );
          for (const done of await Promise.allSettled(wave)) {
            if (done.status === 'rejected') throw done.reason;
            acknowledged += 1;
          }
        }
      };
      expect(await failureOf(fill())).toBe('disk_full');
      expect(await failureOf(log.append({ entry: entryAt(0) }))).toBe('disk_full');
      await log.close();
      expect(acknowledged).toBeGreaterThan(0);
      expect(spawnSync('mount', ['-o', 'remount,size=64m', directory]).status).toBe(0);
      expect(await append(0, 1)).toBeGreaterThan(acknowledged);
      expect(await problems()).toMatchObject({ verified: true });
    } finally {
      unmount();
    }
  });
});

describe('a folder that may not be written', () => {
  it('refuses to open with read_only, and what is there is still read and verified', async (context) => {
    if (isRoot) {
      if (!mountSmall('32m')) return context.skip();
      await append(0, 3);
      if (!mount('-o', 'remount,ro', directory)) return context.skip();
    } else {
      await append(0, 3);
      chmodSync(file('writer.lock'), 0o400);
      chmodSync(directory, 0o500);
    }
    try {
      expect(await failureOf(append(3, 1))).toBe('read_only');
      expect(await failureOf(openSqliteLog(options()))).toBe('read_only');
    } finally {
      if (isRoot) unmount();
      else chmodSync(directory, 0o700);
    }
  });
});

describe('damage', () => {
  beforeEach(async () => {
    await append(0, SIZE);
  });

  it('a corrupted page is damaged or entry_altered, wherever it is, and names where trust ends', async () => {
    const pristine = readFileSync(file('log.sqlite'));
    const pages = pristine.byteLength / 4_096;
    const codes = new Set<string>();
    for (let page = 1; page < pages; page += 3) {
      const bytes = Buffer.from(pristine);
      bytes.fill(0xa5, page * 4_096 + 200, page * 4_096 + 1_200);
      writeFileSync(file('log.sqlite'), bytes);
      const { verified, problems: found, trustedSize } = await problems();
      // A page of an index that holds nothing signed may differ without touching an entry.
      if (verified) continue;
      for (const { code } of found) codes.add(code);
      if (trustedSize === 0) continue;
      const reader = openSqliteLogReader(directory);
      expect(reader.read(0, trustedSize)).toEqual(
        Array.from({ length: trustedSize }, (_, at) => new Uint8Array(entryAt(at))),
      );
      reader.close();
    }
    expect([...codes].sort()).toEqual(['damaged', 'entry_altered', 'history_differs']);
  });

  it('a truncated tile is tile_damaged, the database is trusted whole, and rebuild restores it', async () => {
    truncateSync(file('tile/0/001'), 4_000);
    truncateSync(file('tile/entries/000'), 10);
    expect(await problems()).toMatchObject({
      verified: false,
      codes: ['tile_damaged tile/entries/000', 'tile_damaged tile/0/001'],
      trustedSize: SIZE,
    });
    const { restored } = await rebuildLog({ directory, logKeys: [LOG_KEY], signer: SIGNER });
    expect([...restored].sort()).toEqual(['tile/0/001', 'tile/entries/000']);
    expect(await problems()).toMatchObject({ verified: true });
  });

  it('swapped tiles are both named, and rebuild puts them right', async () => {
    copyFileSync(file('tile/0/000'), join(folder, 'first'));
    copyFileSync(file('tile/0/001'), file('tile/0/000'));
    copyFileSync(join(folder, 'first'), file('tile/0/001'));
    expect((await problems()).codes).toEqual(['tile_damaged tile/0/000', 'tile_damaged tile/0/001']);
    await rebuildLog({ directory, logKeys: [LOG_KEY], signer: SIGNER });
    expect(await problems()).toMatchObject({ verified: true, trustedSize: SIZE });
  });

  it('a planted tile stops the publication that would write over it, with tile_damaged', async () => {
    const log = await openSqliteLog(options());
    mkdirSync(file('tile/0/002.p'), { recursive: true });
    writeFileSync(file('tile/0/002.p/89'), new Uint8Array(89 * 32));
    await log.append({ entry: entryAt(SIZE) });
    expect(await failureOf(log.checkpoint())).toBe('tile_damaged');
    expect(await failureOf(log.append({ entry: entryAt(SIZE + 1) }))).toBe('tile_damaged');
    await log.close();
  });

  it('a checkpoint that was rolled back is told as checkpoint_behind, and the next publication moves it on', async () => {
    copyFileSync(file('checkpoint'), join(folder, 'older'));
    await append(SIZE, 100);
    copyFileSync(join(folder, 'older'), file('checkpoint'));
    expect(await problems()).toMatchObject({
      notes: [{ code: 'checkpoint_behind', where: 'checkpoint' }],
      checkpoint: { size: SIZE },
      trustedSize: SIZE,
    });
    expect(await append(SIZE + 100, 0)).toBe(SIZE + 100);
    expect(await problems()).toMatchObject({ verified: true, notes: [], checkpoint: { size: SIZE + 100 } });
  });

  it('a checkpoint put back under a running log is moved on, and one of another history ends the log with history_differs', async () => {
    copyFileSync(file('checkpoint'), join(folder, 'older'));
    const log = await openSqliteLog(options());
    await log.append({ entry: entryAt(SIZE) });
    await log.checkpoint();
    copyFileSync(join(folder, 'older'), file('checkpoint'));
    await log.append({ entry: entryAt(SIZE + 1) });
    await log.checkpoint();
    expect(await problems()).toMatchObject({ verified: true, checkpoint: { size: SIZE + 2 } });
    const forked = formatCheckpoint({ origin: ORIGIN, size: SIZE, rootHash: new Uint8Array(32) });
    writeFileSync(file('checkpoint'), signNote(forked, [noteSigner(ORIGIN, SIGNER)]));
    await log.append({ entry: entryAt(SIZE + 2) });
    expect(await failureOf(log.checkpoint())).toBe('history_differs');
    expect(await failureOf(log.append({ entry: entryAt(SIZE + 3) }))).toBe('history_differs');
    await log.close();
  });

  it('a database that went back is rolled_back, for verify, the writer and rebuild alike', async () => {
    cpSync(directory, join(folder, 'older'), { recursive: true });
    await append(SIZE, 100);
    copyFileSync(join(folder, 'older', 'log.sqlite'), file('log.sqlite'));
    expect((await problems()).codes[0]).toBe('rolled_back database');
    expect(await failureOf(append(SIZE, 1))).toBe('rolled_back');
    expect(await failureOf(rebuildLog({ directory, logKeys: [LOG_KEY], signer: SIGNER }))).toBe(
      'rolled_back',
    );
  });
});

describe('two writers', () => {
  it('the second is refused with locked', async () => {
    const log = await openSqliteLog(options());
    expect(await failureOf(openSqliteLog(options()))).toBe('locked');
    expect(await log.append({ entry: entryAt(0) })).toEqual({ kind: 'appended', index: 0 });
    await log.close();
  });

  it('with the lock’s file deleted there can be two: the one that comes late ends with second_writer, and undoes nothing', async () => {
    const first = await openSqliteLog(options());
    await first.append({ entry: entryAt(0) });
    rmSync(file('writer.lock'));
    const second = await openSqliteLog(options());
    expect(await second.append({ entry: entryAt(1) })).toEqual({ kind: 'appended', index: 1 });
    expect(await failureOf(first.append({ entry: entryAt(2) }))).toBe('second_writer');
    await first.close();
    expect(await second.append({ entry: entryAt(3) })).toEqual({ kind: 'appended', index: 2 });
    await second.close();
    expect(await problems()).toMatchObject({ verified: true, trustedSize: 3 });
  });
});

describe('a clock that goes backwards', () => {
  it('brings no used proof back, and orders nothing anew', async () => {
    let nowSeconds = 1_800_000_000;
    const clock = { wallMs: () => nowSeconds * 1_000 };
    const proof = (id: string, expiresAtSeconds: number) => ({
      entry: Buffer.from(id),
      consume: { id, expiresAtSeconds },
    });
    const log = await openSqliteLog({ ...options(), clock });
    await log.append(proof('first', nowSeconds + 60));
    nowSeconds += 10_000;
    await log.append(proof('second', nowSeconds + 60));
    nowSeconds -= 10_000;
    // Of what expired before the newest time the log has seen nobody knows whether it was used: none of it is fresh.
    expect(await log.append(proof('first', nowSeconds + 60))).toEqual({ kind: 'replayed' });
    expect(await log.append(proof('never seen', nowSeconds + 60))).toEqual({ kind: 'replayed' });
    expect(log.head().size).toBe(2);
    await log.close();
    expect(await problems()).toMatchObject({ verified: true, trustedSize: 2 });
  });
});
