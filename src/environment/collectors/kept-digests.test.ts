import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../codec/index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-digests-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A process of its own, as far as the in-memory cache goes. */
async function freshProcess() {
  vi.resetModules();
  const { digestFile, learnDigest } = await import('./file-digest.ts');
  const { keepDigests, recallDigests } = await import('./kept-digests.ts');
  return { digestFile, learnDigest, keepDigests, recallDigests };
}

/** The identity under which a file's digest is kept. */
function identityOf(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

describe('kept digests', () => {
  it('spare the next process the reading of what was not touched', async () => {
    const program = join(folder, 'program');
    const kept = join(folder, 'digests.json');
    writeFileSync(program, 'one');
    const first = await freshProcess();
    // A digest that the content does not have shows that the file was not read.
    const planted = digestOf('planted');
    first.learnDigest(identityOf(program), planted);
    await first.keepDigests(kept, 0);
    expect(statSync(kept).mode & 0o777).toBe(0o600);

    const second = await freshProcess();
    const recalled = await second.recallDigests(kept);
    expect(await second.digestFile(program)).toBe(planted);
    const { ino } = statSync(kept);
    await second.keepDigests(kept, recalled);
    expect(statSync(kept).ino).toBe(ino);

    // Rewritten with its old size and its old times: the change time gives it away.
    const { atime, mtime } = statSync(program);
    writeFileSync(program, 'two');
    utimesSync(program, atime, mtime);
    const third = await freshProcess();
    await third.recallDigests(kept);
    expect(await third.digestFile(program)).toBe(digestOf('two'));
  });

  it('count for nothing where others can read or write them, or they are not what we wrote', async () => {
    const program = join(folder, 'program');
    const kept = join(folder, 'digests.json');
    writeFileSync(program, 'one');
    const first = await freshProcess();
    first.learnDigest(identityOf(program), digestOf('planted'));
    await first.keepDigests(kept, 0);
    const whole = readFileSync(kept);
    const cases: (() => void)[] = [
      () => chmodSync(kept, 0o666),
      () => writeFileSync(kept, whole.subarray(0, 40)),
      () => writeFileSync(kept, whole.toString().replace('writ/digests@v2', 'other')),
      () => rmSync(kept),
    ];
    for (const spoil of cases) {
      writeFileSync(kept, whole, { mode: 0o600 });
      chmodSync(kept, 0o600);
      spoil();
      const next = await freshProcess();
      await next.recallDigests(kept);
      expect(await next.digestFile(program)).toBe(digestOf('one'));
    }
  });
});
