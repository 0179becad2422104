import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SigningKey } from '../../key/index.ts';
import { LogUnavailable, leafHash, noteVerifier } from '../../tlog/index.ts';
import { openSqliteLogReader, verifyLog, withSqliteLog } from './index.ts';

const ORIGIN = 'verify.example/log';
const SIGNER = SigningKey.fromSeed(new Uint8Array(32).fill(9));
const LOG_KEY = noteVerifier(ORIGIN, SIGNER.publicKey);
const SIZE = 600;

let original: string;
let directory: string;

beforeAll(async () => {
  original = mkdtempSync(join(tmpdir(), 'writ-original-'));
  await withSqliteLog({ directory: original, origin: ORIGIN, signer: SIGNER }, async (log) => {
    const entries = Array.from({ length: SIZE }, (_, at) => Buffer.from(`entry ${at}`));
    await Promise.all(entries.map((entry) => log.append({ entry, keys: [`key ${entry}`] })));
  });
});
afterAll(() => rmSync(original, { recursive: true, force: true }));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-verify-'));
  cpSync(original, directory, { recursive: true });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function sql(statement: string, ...values: (Uint8Array | number)[]): void {
  const db = new DatabaseSync(join(directory, 'log.sqlite'));
  db.prepare(statement).run(...values);
  db.close();
}

const open = () =>
  withSqliteLog({ directory, origin: ORIGIN, signer: SIGNER }, async (log) => log.head().size);
const places = async () => (await verifyLog(directory, LOG_KEY)).problems.map(({ where }) => where);

describe('verifyLog', () => {
  it('finds nothing wrong with a log that is as it was written', async () => {
    expect(await verifyLog(directory, LOG_KEY)).toMatchObject({
      verified: true,
      problems: [],
      head: { size: SIZE },
      checkpoint: { origin: ORIGIN, size: SIZE },
      trustedSize: SIZE,
    });
  });

  it('names an entry that was changed, and trusts those before it', async () => {
    sql('UPDATE entry SET body = ? WHERE idx = 300', Buffer.from('forged'));
    expect(await verifyLog(directory, LOG_KEY)).toMatchObject({
      verified: false,
      problems: [{ where: 'entry 300' }],
      trustedSize: 300,
    });
  });

  it('names an entry that was changed together with its stored hash', async () => {
    const forged = Buffer.from('forged');
    sql('UPDATE entry SET body = ?, leaf = ? WHERE idx = 300', forged, leafHash(forged));
    const { verified, problems, trustedSize } = await verifyLog(directory, LOG_KEY);
    expect(verified).toBe(false);
    expect(problems.map(({ where }) => where)).toEqual(['database', 'entry 300']);
    expect(trustedSize).toBe(300);
  });

  it('names a stored leaf hash that was changed', async () => {
    sql('UPDATE entry SET leaf = zeroblob(32) WHERE idx = 5');
    expect(await places()).toContain('entry 5');
  });

  it('names an entry that was removed, whatever its neighbours', async () => {
    sql('DELETE FROM entry WHERE idx = 7');
    const { problems, trustedSize } = await verifyLog(directory, LOG_KEY);
    expect(problems.map(({ where }) => where)).toEqual(['database', 'entry 7']);
    expect(trustedSize).toBe(7);
  });

  it('names a tree hash that was changed', async () => {
    sql('UPDATE node SET hash = zeroblob(32) WHERE level = 1 AND idx = 1');
    expect(await places()).toEqual(['tree hash 1 of level 1']);
  });

  it('sees a head that is not the root of the entries', async () => {
    sql('UPDATE log SET root = zeroblob(32)');
    expect(await places()).toEqual(['database']);
  });

  it.each(['tile/0/001', 'tile/1/000.p/2', 'tile/entries/000', 'tile/entries/002.p/88'])(
    'names %s when it is damaged or gone',
    async (path) => {
      const file = join(directory, path);
      const bytes = readFileSync(file);
      bytes.writeUInt8(bytes.readUInt8(9) ^ 1, 9);
      rmSync(file);
      expect(await places()).toEqual([path]);
      writeFileSync(file, bytes);
      expect(await places()).toEqual([path]);
      expect(await verifyLog(directory, LOG_KEY)).toMatchObject({ trustedSize: SIZE });
    },
  );

  it('trusts nothing without a checkpoint signed by the log', async () => {
    const stranger = noteVerifier(ORIGIN, SigningKey.generate().publicKey);
    expect(await verifyLog(directory, stranger)).toMatchObject({
      verified: false,
      problems: [{ where: 'checkpoint' }],
      checkpoint: undefined,
      trustedSize: 0,
    });
    rmSync(join(directory, 'checkpoint'));
    expect(await verifyLog(directory, LOG_KEY)).toMatchObject({ verified: false, trustedSize: 0 });
  });

  it('sees a database that went back', async () => {
    sql('DELETE FROM entry WHERE idx >= 500');
    sql('UPDATE log SET size = 500');
    expect(await places()).toContain('database');
    await expect(open()).rejects.toThrow(LogUnavailable);
  });

  it('finds what is wrong with the structure of the file, in a thread of its own or not', async () => {
    const file = join(directory, 'log.sqlite');
    const bytes = readFileSync(file);
    // Free pages that are on no list: nothing but the structure is touched.
    writeFileSync(file, Buffer.concat([bytes, Buffer.alloc(3 * 8_192)]));
    const header = readFileSync(file);
    header.writeUInt32BE(header.byteLength / 8_192, 28);
    writeFileSync(file, header);
    const found = await verifyLog(directory, LOG_KEY, Number.POSITIVE_INFINITY);
    expect(found).toMatchObject({ verified: false, trustedSize: SIZE });
    expect(new Set(found.problems.map(({ where }) => where))).toEqual(new Set(['database']));
    expect(await verifyLog(directory, LOG_KEY, 0)).toEqual(found);
  });

  it('says what it can where there is no database', async () => {
    rmSync(join(directory, 'log.sqlite'));
    expect(await verifyLog(directory, LOG_KEY)).toMatchObject({
      verified: false,
      problems: [{ where: 'database' }],
      head: undefined,
      checkpoint: { size: SIZE },
      trustedSize: 0,
    });
  });

  it('never fails on, and never vouches for, a database with bytes changed at random', async () => {
    const file = join(directory, 'log.sqlite');
    const pristine = readFileSync(file);
    const entries = openSqliteLogReader(directory);
    const expected = entries.read(0, SIZE).map((entry) => Buffer.from(entry).toString('latin1'));
    entries.close();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(pristine.byteLength - 1), fc.integer({ min: 1, max: 255 })), {
          minLength: 1,
          maxLength: 20,
        }),
        fc.option(fc.nat(pristine.byteLength), { freq: 5, nil: undefined }),
        async (changes, length) => {
          const bytes = Buffer.from(pristine);
          for (const [at, mask] of changes) bytes.writeUInt8(bytes.readUInt8(at) ^ mask, at);
          writeFileSync(file, bytes.subarray(0, length));
          const { trustedSize } = await verifyLog(directory, LOG_KEY);
          if (trustedSize > 0) {
            const reader = openSqliteLogReader(directory);
            let read = expected.slice(0, trustedSize);
            try {
              read = reader.read(0, trustedSize).map((entry) => Buffer.from(entry).toString('latin1'));
            } catch (error) {
              // A page that SQLite refuses says nothing false.
              expect(error).toBeInstanceOf(LogUnavailable);
            }
            expect(read).toEqual(expected.slice(0, trustedSize));
            reader.close();
          }
          await open().catch((error: unknown) => expect(error).toBeInstanceOf(LogUnavailable));
          rmSync(join(directory, 'log.sqlite-wal'), { force: true });
          rmSync(join(directory, 'log.sqlite-shm'), { force: true });
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('opening a damaged log', () => {
  it.each([
    ['an entry of the tail was changed', () => sql("UPDATE entry SET body = x'00' WHERE idx = 590")],
    ['the head was changed', () => sql('UPDATE log SET root = zeroblob(32)')],
    ['a tree hash was changed', () => sql('UPDATE node SET hash = zeroblob(32) WHERE idx = 1')],
    ['the last entry was removed', () => sql('DELETE FROM entry WHERE idx = 599')],
    [
      'a trigger was planted',
      () => sql('CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM consumed; END'),
    ],
    ['a table was dropped', () => sql('DROP TABLE consumed')],
    ['it is no database', () => writeFileSync(join(directory, 'log.sqlite'), 'x'.repeat(5_000))],
    ['it is a database of something else', () => rmSync(join(directory, 'log.sqlite'))],
    ['the checkpoint is garbage', () => writeFileSync(join(directory, 'checkpoint'), 'garbage')],
  ])('is refused with a reason when %s', async (_, damage) => {
    damage();
    if (_.includes('something else')) sql('CREATE TABLE t (a)');
    await expect(open()).rejects.toThrow(LogUnavailable);
    // The refusal leaves no lock behind.
    await expect(open()).rejects.toThrow(/writ log verify|restore|not a Writ log/);
  });

  it('is refused under another origin or key', async () => {
    const other = withSqliteLog(
      { directory, origin: 'other.example', signer: SIGNER },
      async () => undefined,
    );
    await expect(other).rejects.toThrow(/is the log verify.example\/log, not other.example/);
    const stranger = SigningKey.generate();
    const foreign = withSqliteLog({ directory, origin: ORIGIN, signer: stranger }, async () => undefined);
    await expect(foreign).rejects.toThrow(/not signed by this log's key/);
  });
});
