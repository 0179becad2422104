import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SigningKey } from '../../src/key/index.ts';
import { WitnessClient } from '../../src/mesh/index.ts';
import { openSqliteLog, type SqliteLog } from '../../src/storage/index.ts';
import {
  noteVerifier,
  openCheckpoint,
  QuorumUnmet,
  SplitView,
  type VerifiedCheckpoint,
} from '../../src/tlog/index.ts';
import { must } from '../support/trust-domain.ts';
import { policyOf, WitnessHost } from '../support/witness-host.ts';

const ORIGIN = 'test.local/execution/fs';
const signer = SigningKey.fromSeed(new Uint8Array(32).fill(100));
const logKey = noteVerifier(ORIGIN, signer.publicKey);

let root: string;
let directory: string;
let witnesses: WitnessHost[];
let log: SqliteLog | undefined;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'writ-witnessed-'));
  directory = join(root, 'log');
  witnesses = await Promise.all([1, 2, 3].map((seed) => new WitnessHost(seed, [logKey]).start()));
});

afterEach(async () => {
  await log?.close();
  log = undefined;
  for (const witness of witnesses) await witness.dispose();
  rmSync(root, { recursive: true, force: true });
});

function client(threshold = 2, timeoutMs = 2_000): WitnessClient {
  return new WitnessClient({ policy: policyOf(witnesses, threshold), logKey, timeoutMs });
}

async function open(
  options: { threshold?: number; timeoutMs?: number; at?: string } = {},
): Promise<SqliteLog> {
  const cosigner = client(options.threshold, options.timeoutMs);
  // Publication is asked for, not waited for: no test depends on a timer.
  const publishIntervalMs = 3_600_000;
  log = await openSqliteLog({
    directory: options.at ?? directory,
    origin: ORIGIN,
    signer,
    cosigner,
    publishIntervalMs,
  });
  return log;
}

async function append(to: SqliteLog, count: number, text = 'entry'): Promise<void> {
  const { size } = to.head();
  const entries = Array.from({ length: count }, (_, at) => Buffer.from(`${text} ${size + at}`));
  await Promise.all(entries.map((entry) => to.append({ entry })));
}

const published = (at = directory): string | undefined =>
  existsSync(join(at, 'checkpoint')) ? readFileSync(join(at, 'checkpoint'), 'utf8') : undefined;

function opened(note: string | undefined): VerifiedCheckpoint {
  return must(
    openCheckpoint(
      note ?? '',
      logKey,
      witnesses.map(({ verifier }) => verifier),
    ),
  );
}

describe('a log with a witness policy', () => {
  it('publishes checkpoints that two of three witnesses have cosigned', async () => {
    const subject = await open();
    for (const count of [3, 1, 300]) {
      await append(subject, count);
      const checkpoint = opened(await subject.checkpoint());
      expect(checkpoint.size).toBe(subject.head().size);
      expect(checkpoint.cosignatures.length).toBeGreaterThanOrEqual(2);
      expect(published()).toBe(await subject.checkpoint());
    }
  });

  it('publishes nothing while one witness alone is there; appends stay durable; goes on when they are back', async () => {
    const subject = await open();
    await append(subject, 2);
    const before = await subject.checkpoint();
    await witnesses[0]?.kill();
    await witnesses[1]?.kill();
    await append(subject, 5);
    const waiting = subject.acknowledged(6, 'witnessed');
    await expect(subject.acknowledged(6, 'durable')).resolves.toBeUndefined();
    await expect(subject.checkpoint()).rejects.toThrow(QuorumUnmet);
    await expect(subject.checkpoint()).rejects.toThrow(
      /all-of-them \(has 1 of 2; missing: w1, w2\).*w[12]: it cannot be reached \(ECONNREFUSED\)/s,
    );
    expect(published()).toBe(before);
    expect(subject.progress()).toMatchObject({ durable: 7, included: 2, witnessed: 2 });
    expect(subject.progress().waitingMs).toBeGreaterThan(0);
    await append(subject, 1);
    await witnesses[0]?.start();
    const after = opened(await subject.checkpoint());
    expect(after.size).toBe(8);
    expect(subject.progress()).toEqual({ durable: 8, included: 8, witnessed: 8, waitingMs: 0 });
    await expect(waiting).resolves.toBeUndefined();
    expect(
      opened(published())
        .cosignatures.map(({ name }) => name)
        .sort(),
    ).toEqual(['w1.example', 'w3.example']);
  });

  it('tries again by itself', async () => {
    const cosigner = client();
    log = await openSqliteLog({ directory, origin: ORIGIN, signer, cosigner, publishIntervalMs: 5 });
    await witnesses[0]?.kill();
    await witnesses[1]?.kill();
    await append(log, 1);
    await expect(log.checkpoint()).rejects.toThrow(QuorumUnmet);
    const waiting = log.acknowledged(0, 'included');
    await witnesses[1]?.start();
    await waiting;
    expect(opened(published()).size).toBe(1);
  });

  it('is not published on closing either, and by the next writer once the witnesses are back', async () => {
    const subject = await open();
    await append(subject, 2);
    await subject.checkpoint();
    for (const witness of witnesses) await witness.kill();
    await append(subject, 2);
    await subject.close();
    expect(opened(published()).size).toBe(2);
    for (const witness of witnesses) await witness.start();
    const next = await open();
    expect(next.head().size).toBe(4);
    await next.checkpoint();
    expect(opened(published()).size).toBe(4);
  });

  it('waits for its witnesses on request only: a caller can give up, and closing answers it', async () => {
    const subject = await open();
    for (const witness of witnesses) await witness.kill();
    await append(subject, 1);
    const abort = new AbortController();
    const given = subject.acknowledged(0, 'witnessed', abort.signal);
    const waiting = subject.acknowledged(0, 'included');
    abort.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    await expect(subject.acknowledged(1, 'durable')).rejects.toThrow(TypeError);
    const rejected = expect(waiting).rejects.toThrow('the log is closed');
    await subject.close();
    await rejected;
    expect(published()).toBeUndefined();
  });

  it('that had none before is published again under a policy, and under a stricter one, though it has no new entry', async () => {
    const bare = await openSqliteLog({ directory, origin: ORIGIN, signer });
    await append(bare, 3);
    await bare.checkpoint();
    await expect(bare.acknowledged(0, 'witnessed')).rejects.toThrow('no witness policy');
    await bare.close();
    expect(opened(published()).cosignatures).toEqual([]);
    for (const threshold of [2, 3]) {
      const subject = await open({ threshold });
      await subject.checkpoint();
      expect(opened(published()).cosignatures.length).toBeGreaterThanOrEqual(threshold);
      expect(opened(published()).size).toBe(3);
      await subject.close();
    }
  });
});

describe('a log whose history was exchanged', () => {
  it('is stopped by a witness, with both signed heads: another history of the same size', async () => {
    const subject = await open();
    await append(subject, 3);
    const honest = await subject.checkpoint();
    await subject.close();
    const fork = await open({ at: join(root, 'fork') });
    await append(fork, 3, 'forged');
    const refused: unknown = await fork.checkpoint().catch((error: unknown) => error);
    if (!(refused instanceof SplitView)) throw new Error(`not a split view: ${String(refused)}`);
    const [seen, shown] = refused.heads.map((note) => must(openCheckpoint(note, logKey)));
    const hex = (hash: Uint8Array | undefined) => Buffer.from(hash ?? []).toString('hex');
    const honestRoot = hex(opened(honest).rootHash);
    expect([seen?.size, hex(seen?.rootHash)]).toEqual([3, honestRoot]);
    expect([shown?.size, hex(shown?.rootHash)]).toEqual([3, hex(fork.head().rootHash)]);
    expect(published(join(root, 'fork'))).toBeUndefined();
    // What cannot be published vouches for nothing: the log takes no more.
    await expect(fork.append({ entry: Buffer.from('x') })).rejects.toThrow(SplitView);
    for (const witness of witnesses) {
      const seenThere = witness.seen(ORIGIN);
      // The quorum's two have it; the third may not have been asked to the end.
      if (seenThere !== undefined) expect([seenThere.size, hex(seenThere.rootHash)]).toEqual([3, honestRoot]);
    }
  });

  it('is stopped after an older copy was put back, tiles, checkpoint and all', async () => {
    const subject = await open();
    await append(subject, 3);
    await subject.checkpoint();
    await subject.close();
    cpSync(directory, join(root, 'copy'), { recursive: true });
    const later = await open();
    await append(later, 4);
    await later.checkpoint();
    await later.close();
    rmSync(directory, { recursive: true });
    cpSync(join(root, 'copy'), directory, { recursive: true });
    const back = await open();
    expect(back.head().size).toBe(3);
    await append(back, 1, 'rewritten');
    const refused: unknown = await back.checkpoint().catch((error: unknown) => error);
    if (!(refused instanceof SplitView)) throw new Error(`not a split view: ${String(refused)}`);
    expect(refused.message).toContain('has seen 7 entries of a log that now has 4');
    expect(refused.heads.map((note) => must(openCheckpoint(note, logKey)).size)).toEqual([7, 4]);
    expect(opened(published()).size).toBe(3);
  });
});
