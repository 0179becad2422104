import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SigningKey } from '../../src/key/index.ts';
import { LogLocked, openSqliteLog, openSqliteLogReader } from '../../src/storage/index.ts';
import { Acknowledgements } from './appended-entry.ts';
import { auditLeftLog, COMPILE_CACHE, ORIGIN, SEED } from './left-log.ts';

const SIGNER = SigningKey.fromSeed(new Uint8Array(32).fill(SEED));
const CHILD = fileURLToPath(new URL('./appending-child.ts', import.meta.url));

let folder: string;
let directory: string;
let effectsFile: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-fault-'));
  directory = join(folder, 'log');
  effectsFile = join(folder, 'effects');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Starts the appending child under `wrapper`; `onLine` may kill it. Resolves when it has ended. */
async function runChild(
  said: Acknowledgements,
  wrapper: string[],
  onLine: (child: ChildProcess) => void,
): Promise<void> {
  const [command = process.execPath, ...args] = [
    ...wrapper,
    process.execPath,
    ...[CHILD, directory, ORIGIN, `${SEED}`, effectsFile],
  ];
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE },
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    said.hear(line);
    onLine(child);
  }
  await ended;
}

const expectNothingLost = async (acknowledged: Acknowledgements) =>
  expect(await auditLeftLog({ directory, effectsFile, acknowledged })).toEqual([]);

describe('a log whose process is killed', () => {
  it('keeps everything acknowledged, and its tree verifies, five times over', async () => {
    const said = new Acknowledgements();
    for (let round = 0; round < 5; round += 1) {
      let left = 3 + round * 23;
      await runChild(said, [], (child) => {
        left -= 1;
        if (left === 0) child.kill('SIGKILL');
      });
      await expectNothingLost(said);
    }
    expect(said.ids.size).toBeGreaterThan(100);
  }, 120_000);

  it('is locked for other processes while it lives and free as soon as it is dead', async () => {
    const said = new Acknowledgements();
    const attempts: unknown[] = [];
    let attempting: Promise<void> | undefined;
    await runChild(said, [], (child) => {
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
    await expectNothingLost(said);
  });
});

const canLimit = spawnSync('prlimit', ['--version']).status === 0;

describe.skipIf(!canLimit)('a log whose file may not grow any more', () => {
  it('refuses everything after the write that failed, and loses nothing', async () => {
    const said = new Acknowledgements();
    await runChild(said, ['prlimit', '--fsize=1500000'], () => undefined);
    expect(said.words).toContainEqual(expect.stringMatching(/^failed LogUnavailable: .*reopened/));
    expect(said.words).toContain('afterwards LogUnavailable');
    expect(said.ids.size).toBeGreaterThan(0);
    await expectNothingLost(said);
  });
});
