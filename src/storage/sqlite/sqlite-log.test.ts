import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeLog } from '../../../test/suites/log-suite.ts';
import { SigningKey } from '../../key/index.ts';
import { LogUnavailable, noteVerifier, openCheckpoint } from '../../tlog/index.ts';
import { deriveCommitKey } from './commit-seal.ts';
import {
  LogLocked,
  openSqliteLog,
  openSqliteLogReader,
  SqliteLog,
  verifyLog,
  withSqliteLog,
} from './index.ts';
import { openInlineWriter } from './inline-writer.ts';
import { openThreadWriter } from './thread-writer.ts';

const ORIGIN = 'sqlite.example/log';
const SIGNER = SigningKey.fromSeed(new Uint8Array(32).fill(3));
const COMMIT_KEY = deriveCommitKey(SIGNER, ORIGIN);
const EVIDENCE_KEY = new Uint8Array(32).fill(4);
const SECRET = Buffer.from('a secret that must not be found on disk');

// The writer threads inherit it and start three times as fast.
enableCompileCache();

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-log-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describeLog('sqlite', async (options) => {
  let log = await openSqliteLog({ directory, ...options });
  return {
    log,
    reopen: async () => {
      await log.close();
      log = await openSqliteLog({ directory, ...options });
      return log;
    },
    dispose: () => log.close(),
  };
});

describeLog('sqlite on the calling thread', async (options) => {
  const commitKey = deriveCommitKey(options.signer, options.origin);
  const open = () =>
    SqliteLog.open({ directory, ...options }, openInlineWriter({ directory, commitKey, ...options }));
  let log = await open();
  return {
    log,
    reopen: async () => {
      await log.close();
      log = await open();
      return log;
    },
    dispose: () => log.close(),
  };
});

const options = () => ({ directory, origin: ORIGIN, signer: SIGNER, evidenceKey: EVIDENCE_KEY });
const entry = (text: string) => ({ entry: Buffer.from(text) });

describe('the one writer', () => {
  it('is one: a second is refused and told who holds the log', async () => {
    const log = await openSqliteLog(options());
    await expect(openSqliteLog(options())).rejects.toThrow(LogLocked);
    await expect(withSqliteLog({ ...options(), lockTimeoutMs: 0 }, async () => undefined)).rejects.toThrow(
      new RegExp(`already has a writer: process ${process.pid} on .* since 2`),
    );
    await log.append(entry('still writing'));
    await log.close();
    await (await openSqliteLog(options())).close();
  });

  it('waits its turn when asked to', async () => {
    const log = await openSqliteLog(options());
    const waiting = openSqliteLog({ ...options(), lockTimeoutMs: 10_000 });
    await log.append(entry('first'));
    await log.close();
    const next = await waiting;
    expect(await next.append(entry('second'))).toEqual({ kind: 'appended', index: 1 });
    await next.close();
  });

  it('answers nothing more after a failure, whatever was in flight, and starts afresh when reopened', async () => {
    const writer = await openThreadWriter({ directory, origin: ORIGIN, commitKey: COMMIT_KEY });
    const failures: Error[] = [];
    writer.onFailure = (reason) => failures.push(reason);
    await writer.commit([entry('good')], 0);
    // An amount no caller can pass through `append`: the transaction fails half-way.
    const bad = { ...entry('bad'), counters: [{ key: 'c', limit: 1, amount: Number.NaN }] };
    const inFlight = await Promise.allSettled([
      writer.commit([entry('lost'), bad], 0),
      writer.commit([entry('also lost')], 0),
      writer.eraseEvidence(['x']),
    ]);
    expect(inFlight.map((each) => each.status === 'rejected' && each.reason)).toEqual(
      Array.from({ length: 3 }, () => expect.any(LogUnavailable)),
    );
    await expect(writer.commit([entry('later')], 0)).rejects.toThrow(LogUnavailable);
    expect(failures).toHaveLength(1);
    await writer.close();
    const log = await openSqliteLog(options());
    expect(log.read(0, 9).map((each) => Buffer.from(each).toString())).toEqual(['good']);
    await log.close();
  });

  it('refuses what cannot be sent to it without mixing up the answers', async () => {
    const writer = await openThreadWriter({ directory, origin: ORIGIN, commitKey: COMMIT_KEY });
    const odd = { ...entry('odd'), keys: [Object(Symbol('not cloneable'))] };
    await expect(writer.commit([odd], 0)).rejects.toThrow();
    expect((await writer.commit([entry('fine')], 0)).results).toEqual([{ kind: 'appended', index: 0 }]);
    await writer.close();
  });

  it('stores evidence only with a key of 32 bytes', async () => {
    await expect(openSqliteLog({ ...options(), evidenceKey: new Uint8Array(16) })).rejects.toThrow(TypeError);
    const log = await openSqliteLog({ directory, origin: ORIGIN, signer: SIGNER });
    const evidence = [{ address: 'a', bytes: SECRET }];
    await expect(log.append({ ...entry('x'), evidence })).rejects.toThrow(TypeError);
    expect(await log.append(entry('y'))).toEqual({ kind: 'appended', index: 0 });
    await log.close();
  });
});

describe('consumed ids', () => {
  const consumed = (id: string, expiresAtSeconds: number) => ({
    ...entry(id),
    consume: { id, expiresAtSeconds },
  });
  const START = 1_800_000_000;

  it('are forgotten after they expired, and still never accepted again when the clock goes back', async () => {
    let nowSeconds = START;
    const clock = { wallMs: () => nowSeconds * 1_000 };
    let log = await openSqliteLog({ ...options(), clock });
    await log.append(consumed('old', START + 60));
    nowSeconds = START + 100;
    await log.append(entry('upkeep'));
    expect(await log.append(consumed('old', START + 60))).toEqual({ kind: 'replayed' });
    nowSeconds = START + 1_000;
    await log.append(consumed('new', nowSeconds + 60));
    await log.append(entry('upkeep'));
    expect(countConsumed()).toBe(1);
    for (let restart = 0; restart < 2; restart += 1) {
      nowSeconds = START;
      expect(await log.append(consumed('old', START + 60))).toEqual({ kind: 'replayed' });
      expect(await log.append(consumed('never seen', START + 60))).toEqual({ kind: 'replayed' });
      nowSeconds = START + 1_000;
      expect(await log.append(consumed('new', nowSeconds + 60))).toEqual({ kind: 'replayed' });
      await log.close();
      log = await openSqliteLog({ ...options(), clock });
    }
    expect(await log.append(consumed('fresh', START + 1_060))).toMatchObject({ kind: 'appended' });
    await log.close();
  });

  it('are never forgotten for their number', async () => {
    const log = await openSqliteLog(options());
    const ids = Array.from({ length: 20_000 }, (_, at) => `id ${at}`);
    await Promise.all(ids.map((id) => log.append(consumed(id, 4_000_000_000))));
    const again = await Promise.all(ids.map((id) => log.append(consumed(id, 4_000_000_000))));
    expect(again.every(({ kind }) => kind === 'replayed')).toBe(true);
    await log.close();
  });

  function countConsumed(): unknown {
    const db = new DatabaseSync(join(directory, 'log.sqlite'), { readOnly: true });
    const count = db.prepare('SELECT count(*) AS n FROM consumed').get()?.n;
    db.close();
    return count;
  }
});

describe('publication', () => {
  it('happens by itself, and on close', async () => {
    const log = await openSqliteLog({ ...options(), publishIntervalMs: 5 });
    await log.append(entry('one'));
    const published = () => {
      const file = join(directory, 'checkpoint');
      if (!existsSync(file)) return undefined;
      return openCheckpoint(readFileSync(file), noteVerifier(ORIGIN, SIGNER.publicKey));
    };
    await expect.poll(published).toMatchObject({ size: 1 });
    await log.append(entry('two'));
    await log.close();
    expect(published()).toMatchObject({ size: 2 });
  });

  it('goes on while entries arrive, and every checkpoint verifies', async () => {
    const log = await openSqliteLog({ ...options(), publishIntervalMs: 1 });
    let appending = true;
    const appended = (async () => {
      for (let at = 0; appending; at += 1)
        await Promise.all([log.append(entry(`${at}`)), log.append(entry(`${at}`))]);
    })();
    for (let round = 0; round < 5; round += 1) {
      await log.checkpoint();
      const { problems } = await verifyLog(directory, noteVerifier(ORIGIN, SIGNER.publicKey));
      expect(problems).toEqual([]);
    }
    appending = false;
    await appended;
    await log.close();
  });
});

describe('a reader beside the writer', () => {
  it('sees what is committed, and whether anything was', async () => {
    expect(() => openSqliteLogReader(directory)).toThrow(/there is no log/);
    const log = await openSqliteLog(options());
    const reader = openSqliteLogReader(directory);
    expect(reader.changed()).toBe(false);
    await log.append({ ...entry('one'), keys: ['k'] });
    expect(reader.changed()).toBe(true);
    expect(reader.changed()).toBe(false);
    expect(reader.head()).toEqual(log.head());
    expect(reader.lookup('k')).toEqual([0]);
    await log.close();
    expect(reader.read(0, 5)).toHaveLength(1);
    await withSqliteLog(options(), (again) => again.append(entry('two')));
    expect(reader.changed()).toBe(true);
    expect(reader.head().size).toBe(2);
    reader.close();
    expect(() => reader.head()).toThrow(LogUnavailable);
  });
});

describe('evidence', () => {
  const blob = { address: 'address-1', bytes: SECRET };
  const filesOnDisk = () =>
    Buffer.concat(
      ['log.sqlite', 'log.sqlite-wal'].map((name) => {
        const file = join(directory, name);
        return existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
      }),
    );

  it('is sealed on disk, kept once per address, and opens with the evidence key', async () => {
    const log = await openSqliteLog(options());
    await log.append({ ...entry('one'), evidence: [blob] });
    await log.append({ ...entry('two'), evidence: [blob, { ...blob, bytes: Buffer.from('other') }] });
    expect(Buffer.from(log.readEvidence('address-1', EVIDENCE_KEY) ?? [])).toEqual(SECRET);
    expect(log.readEvidence('address-1', new Uint8Array(32))).toBeUndefined();
    expect(log.readEvidence('unknown', EVIDENCE_KEY)).toBeUndefined();
    expect(log.evidenceState('unknown')).toBe('absent');
    expect(filesOnDisk().includes(SECRET)).toBe(false);
    await log.close();
  });

  it('is not stored with a request that was refused', async () => {
    const log = await openSqliteLog(options());
    const consume = { id: 'one', expiresAtSeconds: 4_000_000_000 };
    await log.append({ ...entry('one'), consume });
    expect(await log.append({ ...entry('two'), consume, evidence: [blob] })).toEqual({ kind: 'replayed' });
    expect(log.evidenceState('address-1')).toBe('absent');
    await log.close();
  });

  it('once erased is gone from the disk, stays erased, and leaves the log as it was', async () => {
    const log = await openSqliteLog(options());
    await log.append({ ...entry('one'), evidence: [blob] });
    const db = new DatabaseSync(join(directory, 'log.sqlite'), { readOnly: true });
    const row = db.prepare('SELECT wrapped_key, sealed FROM evidence').get();
    db.close();
    const wrappedKey = row?.wrapped_key;
    if (!(wrappedKey instanceof Uint8Array)) throw new Error('evidence is stored');
    expect(filesOnDisk().includes(Buffer.from(wrappedKey))).toBe(true);
    const head = log.head();
    expect(await log.eraseEvidence('address-1')).toBe(true);
    expect(filesOnDisk().includes(Buffer.from(wrappedKey))).toBe(false);
    expect(log.evidenceState('address-1')).toBe('erased');
    expect(log.readEvidence('address-1', EVIDENCE_KEY)).toBeUndefined();
    expect(await log.eraseEvidence('address-1')).toBe(false);
    expect(await log.eraseEvidence('unknown')).toBe(false);
    expect(log.head()).toEqual(head);
    await log.append({ ...entry('two'), evidence: [blob] });
    expect(log.evidenceState('address-1')).toBe('erased');
    await log.close();
  });
});
