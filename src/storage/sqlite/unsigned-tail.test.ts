import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { plantEntry } from '../../../test/support/planted-entry.ts';
import { SigningKey } from '../../key/index.ts';
import { LogUnavailable, noteVerifier } from '../../tlog/index.ts';
import { openSqliteLog, verifyLog, withSqliteLog } from './index.ts';

const ORIGIN = 'tail.example/log';
const SIGNER = SigningKey.fromSeed(new Uint8Array(32).fill(11));
const LOG_KEY = noteVerifier(ORIGIN, SIGNER.publicKey);

enableCompileCache();

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-tail-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const options = (change = {}) => ({ directory, origin: ORIGIN, signer: SIGNER, ...change });
const entry = (text: string) => ({ entry: Buffer.from(text) });
const checkpoint = () => readFileSync(join(directory, 'checkpoint'), 'utf8');
const appendPublished = (...texts: string[]) =>
  withSqliteLog(options(), async (log) => {
    for (const text of texts) await log.append(entry(text));
  });

function sql(statement: string, ...values: (Uint8Array | number)[]): void {
  const db = new DatabaseSync(join(directory, 'log.sqlite'));
  db.prepare(statement).run(...values);
  db.close();
}

/** Leaves a log behind as a process that was killed does: `texts` acknowledged, no checkpoint over them. */
async function appendAndCrash(...texts: string[]): Promise<void> {
  const log = await openSqliteLog(options({ publishIntervalMs: 3_600_000 }));
  await Promise.all(texts.map((text) => log.append(entry(text))));
  const left = `${directory}-left`;
  cpSync(directory, left, { recursive: true });
  await log.close();
  rmSync(directory, { recursive: true });
  cpSync(left, directory, { recursive: true });
  rmSync(left, { recursive: true });
}

const reopened = (): Promise<string[]> =>
  withSqliteLog(options(), async (log) =>
    log.read(0, log.head().size).map((each) => Buffer.from(each).toString()),
  );

/** Neither way of opening signs for what is there, and no lock is left. */
async function expectRefused(reason: RegExp): Promise<void> {
  const before = checkpoint();
  await expect(reopened()).rejects.toThrow(LogUnavailable);
  await expect(reopened()).rejects.toThrow(reason);
  await expect(openSqliteLog(options())).rejects.toThrow(reason);
  expect(checkpoint()).toBe(before);
}

describe('entries that no checkpoint covers', () => {
  it('are kept when the writer committed them before it was killed', async () => {
    await appendPublished('a', 'b');
    await appendAndCrash('c', 'd', 'e');
    expect(await reopened()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(await verifyLog(directory, LOG_KEY)).toMatchObject({ verified: true, trustedSize: 5 });
  });

  it('are kept when there never was a checkpoint', async () => {
    await appendAndCrash('a');
    expect(await reopened()).toEqual(['a']);
  });

  it('are refused when someone else put them there', async () => {
    await appendPublished('a', 'b');
    plantEntry(directory, Buffer.from('planted'));
    await expectRefused(/entry 2, .*not .*this log's writer/);
    // Without the key nobody can tell who wrote the tail, only that nothing is signed for it.
    expect(await verifyLog(directory, LOG_KEY)).toMatchObject({
      head: { size: 3 },
      checkpoint: { size: 2 },
      trustedSize: 2,
    });
  });

  it('are refused when they stand behind ones that the writer committed', async () => {
    await appendPublished('a');
    await appendAndCrash('b');
    plantEntry(directory, Buffer.from('planted'));
    await expectRefused(/entries 1 to 2\b/);
  });

  it('are refused when they were there before the first checkpoint', async () => {
    await withSqliteLog(options(), async () => undefined);
    rmSync(join(directory, 'checkpoint'), { force: true });
    plantEntry(directory, Buffer.from('planted'));
    await expect(reopened()).rejects.toThrow(/entry 0\b/);
  });

  it('are refused when one was exchanged for another', async () => {
    await appendPublished('a');
    await appendAndCrash('b');
    sql('DELETE FROM entry WHERE idx = 1');
    sql('UPDATE log SET size = 1');
    plantEntry(directory, Buffer.from('not b'));
    await expectRefused(/entry 1\b/);
  });

  it('are refused when only the bytes of one were exchanged, however far back it stands', async () => {
    await appendPublished('a');
    await appendAndCrash(...Array.from({ length: 900 }, (_, at) => `${at}`));
    sql('UPDATE entry SET body = ? WHERE idx = 100', Buffer.from('forged'));
    await expectRefused(/entry 100\b/);
  });

  it('are refused under the name and key of another log', async () => {
    const other = { ...options(), origin: 'other.example/log' };
    await withSqliteLog(other, (log) => log.append(entry('of another log')));
    rmSync(join(directory, 'checkpoint'));
    sql(`UPDATE log SET origin = '${ORIGIN}'`);
    await expect(reopened()).rejects.toThrow(/entry 0\b/);
  });
});

it('an empty log with a root of its own is refused as a damaged one', async () => {
  await withSqliteLog(options(), async () => undefined);
  sql('UPDATE log SET root = zeroblob(32)');
  await expect(reopened()).rejects.toThrow(LogUnavailable);
});

it('a log refused for planted entries opens again once they are taken out', async () => {
  await appendPublished('a', 'b');
  const db = new DatabaseSync(join(directory, 'log.sqlite'));
  const { root } = db.prepare('SELECT root FROM log').get() ?? {};
  db.close();
  plantEntry(directory, Buffer.from('planted'));
  await expect(reopened()).rejects.toThrow(LogUnavailable);
  sql('DELETE FROM entry WHERE idx = 2');
  sql('UPDATE log SET size = 2, root = ?', root as Uint8Array);
  expect(await reopened()).toEqual(['a', 'b']);
});
