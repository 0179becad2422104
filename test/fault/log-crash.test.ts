import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SigningKey } from '../../src/key/index.ts';
import { LogLocked, openSqliteLog, openSqliteLogReader, verifyLog } from '../../src/storage/index.ts';
import { noteVerifier } from '../../src/tlog/index.ts';

const ORIGIN = 'fault.example/execution';
const SEED = 5;
const SIGNER = SigningKey.fromSeed(new Uint8Array(32).fill(SEED));
const EVIDENCE_KEY = new Uint8Array(32);
const CHILD = fileURLToPath(new URL('./appending-child.ts', import.meta.url));
const LOCK_TIMEOUT_MS = 5_000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-fault-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** What the child said was durable, and its last words. */
class Witness {
  readonly acknowledged = new Map<number, string>();
  readonly words: string[] = [];

  hear(line: string): void {
    const [, index, id] = /^(\d+) ([0-9a-f-]{36})$/.exec(line) ?? [];
    if (index !== undefined && id !== undefined) this.acknowledged.set(Number(index), id);
    else this.words.push(line);
  }
}

/** Starts the appending child under `wrapper`; `onLine` may kill it. Resolves when it has ended. */
async function runChild(
  witness: Witness,
  wrapper: string[],
  onLine: (child: ChildProcess) => void,
): Promise<void> {
  const [command = process.execPath, ...args] = [
    ...wrapper,
    process.execPath,
    CHILD,
    directory,
    ORIGIN,
    `${SEED}`,
  ];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    witness.hear(line);
    onLine(child);
  }
  await ended;
}

/** Opens what the child left and compares it with what the child said. */
async function expectNothingLost(witness: Witness): Promise<void> {
  // A reader alone finds it all, before any writer has tidied up.
  if (witness.acknowledged.size > 0) {
    const reader = openSqliteLogReader(directory);
    expect(reader.head().size).toBeGreaterThan(Math.max(...witness.acknowledged.keys()));
    reader.close();
  }
  const log = await openSqliteLog({
    directory,
    origin: ORIGIN,
    signer: SIGNER,
    evidenceKey: EVIDENCE_KEY,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
  });
  const { size } = log.head();
  const ids = log
    .read(0, size)
    .map((entry) => /^entry of ([0-9a-f-]{36})/.exec(Buffer.from(entry).toString())?.[1]);
  for (const [index, id] of witness.acknowledged) expect(ids[index]).toBe(id);
  // Recorded and consumed are one: every recorded id is used up, also those nobody was told about.
  const replays = await Promise.all(
    ids.map((id = '') =>
      log.append({ entry: new Uint8Array(), consume: { id, expiresAtSeconds: 4_000_000_000 } }),
    ),
  );
  expect(replays.filter(({ kind }) => kind !== 'replayed')).toEqual([]);
  const counted = { key: 'appended', limit: size, amount: 1 };
  expect(await log.append({ entry: new Uint8Array(), counters: [counted] })).toMatchObject({
    kind: 'exhausted',
  });
  for (const id of ids.slice(-50)) {
    expect(Buffer.from(log.readEvidence(id ?? '', EVIDENCE_KEY) ?? []).toString()).toBe(`evidence of ${id}`);
  }
  expect(log.head().size).toBe(size);
  await log.checkpoint();
  await log.close();
  const verification = await verifyLog(directory, noteVerifier(ORIGIN, SIGNER.publicKey));
  expect(verification).toMatchObject({ verified: true, problems: [], trustedSize: size });
}

describe('a log whose process is killed', () => {
  it('keeps everything acknowledged, and its tree verifies, ten times over', async () => {
    const witness = new Witness();
    for (let round = 0; round < 10; round += 1) {
      let left = 3 + round * 23;
      await runChild(witness, [], (child) => {
        left -= 1;
        if (left === 0) child.kill('SIGKILL');
      });
      await expectNothingLost(witness);
    }
    expect(witness.acknowledged.size).toBeGreaterThan(100);
  });

  it('is locked for other processes while it lives and free as soon as it is dead', async () => {
    const witness = new Witness();
    const attempts: unknown[] = [];
    let attempting: Promise<void> | undefined;
    await runChild(witness, [], (child) => {
      attempting ??= openSqliteLog({ directory, origin: ORIGIN, signer: SIGNER })
        .then((log) => log.close())
        .catch((error: unknown) => {
          attempts.push(error);
          // Readers are not locked out.
          const reader = openSqliteLogReader(directory);
          expect(reader.origin).toBe(ORIGIN);
          reader.close();
          expect(String(error)).toContain(`process ${child.pid} `);
        })
        .finally(() => child.kill('SIGKILL'));
    });
    await attempting;
    expect(attempts).toEqual([expect.any(LogLocked)]);
    await expectNothingLost(witness);
  });
});

const canTrace = spawnSync('strace', ['-V']).status === 0;
const canLimit = spawnSync('prlimit', ['--version']).status === 0;

describe.skipIf(!canTrace)('a log whose fsync fails or is never finished', () => {
  const inject = (fault: string) => [
    'strace',
    '-qqf',
    '-o',
    '/dev/null',
    '-e',
    'trace=fsync,fdatasync',
    '-e',
    fault,
  ];

  it.each([{ at: 20 }, { at: 47 }])(
    'refuses everything after fsync $at failed, and loses nothing',
    async ({ at }) => {
      const witness = new Witness();
      await runChild(witness, inject(`inject=fsync,fdatasync:error=EIO:when=${at}`), () => undefined);
      expect(witness.words).toContain('afterwards LogUnavailable');
      expect(witness.words).toContain('closed');
      await expectNothingLost(witness);
    },
  );

  it.each([{ at: 9 }, { at: 36 }])('loses nothing when killed inside fsync $at', async ({ at }) => {
    const witness = new Witness();
    await runChild(witness, inject(`inject=fsync,fdatasync:signal=KILL:when=${at}`), () => undefined);
    expect(witness.words).not.toContain('closed');
    await expectNothingLost(witness);
  });
});

describe.skipIf(!canLimit)('a log whose file system is full', () => {
  it('refuses everything after the write that failed, and loses nothing', async () => {
    const witness = new Witness();
    await runChild(witness, ['prlimit', '--fsize=1500000'], () => undefined);
    expect(witness.words).toContainEqual(expect.stringMatching(/^failed LogUnavailable: .*reopened/));
    expect(witness.words).toContain('afterwards LogUnavailable');
    expect(witness.acknowledged.size).toBeGreaterThan(0);
    await expectNothingLost(witness);
  });
});
