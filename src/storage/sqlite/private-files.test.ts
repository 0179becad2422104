import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SigningKey } from '../../key/index.ts';
import { LogUnavailable, noteVerifier } from '../../tlog/index.ts';
import { deriveCommitKey } from './commit-seal.ts';
import { LogLocked, openSqliteLog, verifyLog, withSqliteLog } from './index.ts';
import { LogDatabase } from './log-database.ts';

const ORIGIN = 'files.example/log';
const SIGNER = SigningKey.fromSeed(new Uint8Array(32).fill(12));

let root: string;
let directory: string;
let umask: number;
beforeEach(() => {
  umask = process.umask(0o002);
  root = mkdtempSync(join(tmpdir(), 'writ-files-'));
  directory = join(root, 'log');
});
afterEach(() => {
  process.umask(umask);
  rmSync(root, { recursive: true, force: true });
});

const options = () => ({ directory, origin: ORIGIN, signer: SIGNER });
const entry = (text: string) => ({ entry: Buffer.from(text) });
const modeOf = (name: string) => (statSync(join(directory, name)).mode & 0o777).toString(8);

describe('the files of a log', () => {
  it('are its owner’s alone, whatever the umask', async () => {
    const log = await openSqliteLog(options());
    await log.append(entry('one'));
    expect(modeOf('.')).toBe('700');
    for (const name of ['log.sqlite', 'log.sqlite-wal', 'log.sqlite-shm', 'writer.lock', 'writer.json'])
      expect([name, modeOf(name)]).toEqual([name, '600']);
    await log.close();
  });

  it('become its owner’s alone when they were not', async () => {
    await withSqliteLog(options(), (log) => log.append(entry('one')));
    chmodSync(join(directory, 'log.sqlite'), 0o666);
    await withSqliteLog(options(), async () => expect(modeOf('log.sqlite-wal')).toBe('600'));
    expect(modeOf('log.sqlite')).toBe('600');
  });

  it('are not written in a folder that others can write', async () => {
    mkdirSync(directory);
    chmodSync(directory, 0o777);
    await expect(openSqliteLog(options())).rejects.toThrow(/written by others; run chmod go-w/);
    chmodSync(directory, 0o755);
    await (await openSqliteLog(options())).close();
  });

  it('that cannot be made are no lock, whatever their name', async () => {
    writeFileSync(join(root, 'locked'), '');
    const beneath = { ...options(), directory: join(root, 'locked', 'log') };
    const failure = await openSqliteLog(beneath).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(LogUnavailable);
    expect(failure).not.toBeInstanceOf(LogLocked);
  });

  it('are not followed out of the folder by a dangling link', async () => {
    mkdirSync(directory, { mode: 0o700 });
    symlinkSync(join(root, 'elsewhere', 'file'), join(directory, 'log.sqlite'));
    await expect(openSqliteLog(options())).rejects.toThrow(LogUnavailable);
  });
});

describe('two writers, because someone deleted the lock', () => {
  const open = () =>
    LogDatabase.open({ directory, origin: ORIGIN, commitKey: deriveCommitKey(SIGNER, ORIGIN) });

  it.each([
    ['appends', entry('late')],
    ['repeats', { ...entry('again'), consume: { id: 'one', expiresAtSeconds: 4_000_000_000 } }],
  ])('do not undo each other: the one left behind fails when it %s', async (_, request) => {
    const consume = { id: 'one', expiresAtSeconds: 4_000_000_000 };
    const first = open();
    first.commit([{ ...entry('one'), consume }], 0);
    rmSync(join(directory, 'writer.lock'));
    const second = open();
    second.commit([entry('two')], 0);
    expect(() => first.commit([request], 0)).toThrow(LogUnavailable);
    expect(second.commit([entry('three')], 0).results).toEqual([{ kind: 'appended', index: 2 }]);
    first.close();
    second.close();
    await withSqliteLog(options(), (log) => log.checkpoint());
    const key = noteVerifier(ORIGIN, SIGNER.publicKey);
    expect(await verifyLog(directory, key)).toMatchObject({ verified: true, trustedSize: 3 });
  });

  it('a writer notices entries planted while it runs, and signs for none of them', async () => {
    const log = await openSqliteLog(options());
    await log.append(entry('one'));
    const db = new DatabaseSync(join(directory, 'log.sqlite'));
    db.exec('UPDATE log SET size = 7');
    db.close();
    await expect(log.append(entry('two'))).rejects.toThrow(LogUnavailable);
    await log.close();
  });
});
