import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { digestOf } from '../../codec/index.ts';
import { digestFile } from './file-digest.ts';
import { digestTree } from './tree-digest.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-digest-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

test('a file of several pieces has the digest of its bytes', async () => {
  const bytes = randomBytes(1_300_000);
  writeFileSync(join(folder, 'file'), bytes);
  expect(await digestFile(join(folder, 'file'))).toBe(digestOf(bytes));
  writeFileSync(join(folder, 'empty'), '');
  expect(await digestFile(join(folder, 'empty'))).toBe(digestOf(''));
});

test('the running Node binary is hashed as its bytes are', async () => {
  const expected = createHash('sha256');
  for await (const chunk of (await import('node:fs')).createReadStream(process.execPath))
    expected.update(chunk);
  expect(await digestFile(process.execPath)).toBe(`sha256:${expected.digest('hex')}`);
});

test('a remembered file that is rewritten in place, its size and modification time forged, is seen', async () => {
  const path = join(folder, 'server.js');
  writeFileSync(path, 'good');
  const { mtime, atime, ctimeNs } = statSync(path, { bigint: true });
  // As if the file had been lying there for a minute: now its digest is kept.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
  expect(await digestFile(path)).toBe(digestOf('good'));
  // The kernel's clock ticks in milliseconds.
  while (statSync(path, { bigint: true }).ctimeNs === ctimeNs) writeFileSync(path, 'evil');
  utimesSync(path, atime, mtime);
  expect(await digestFile(path)).toBe(digestOf('evil'));
});

test('a file just written is not remembered: within one tick of the clock its times would not tell', async () => {
  const path = join(folder, 'server.js');
  for (const text of ['good', 'evil', 'good', 'evil']) {
    writeFileSync(path, text);
    expect(await digestFile(path)).toBe(digestOf(text));
  }
});

test('a file swapped for another is seen', async () => {
  const path = join(folder, 'server.js');
  writeFileSync(path, 'good');
  writeFileSync(join(folder, 'other'), 'evil');
  expect(await digestFile(path)).toBe(digestOf('good'));
  renameSync(join(folder, 'other'), path);
  expect(await digestFile(path)).toBe(digestOf('evil'));
});

test('what is no regular file has no digest, and a FIFO does not hang', async () => {
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  expect(await digestFile(join(folder, 'fifo'))).toBeUndefined();
  expect(await digestFile(folder)).toBeUndefined();
  expect(await digestFile('/dev/zero')).toBeUndefined();
  expect(await digestFile(join(folder, 'absent'))).toBeUndefined();
  expect(await digestFile('a\0b')).toBeUndefined();
});

test('asking for one file many times at once is one answer', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => digestFile(process.execPath)));
  expect(new Set(answers).size).toBe(1);
  expect(answers[0]).toBeDefined();
});

test('a tree changes with every byte, name, and link below it', async () => {
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  writeFileSync(join(folder, 'a/b/file'), 'x');
  symlinkSync('b/file', join(folder, 'a/link'));
  const seen = new Set([await digestTree(folder)]);
  writeFileSync(join(folder, 'a/b/file'), 'y');
  seen.add(await digestTree(folder));
  renameSync(join(folder, 'a/b/file'), join(folder, 'a/b/other'));
  seen.add(await digestTree(folder));
  rmSync(join(folder, 'a/link'));
  seen.add(await digestTree(folder));
  symlinkSync('b/other', join(folder, 'a/link'));
  seen.add(await digestTree(folder));
  expect(seen).not.toContain(undefined);
  expect(seen.size).toBe(5);
});

test('a tree does not follow links out of itself, nor round in a circle', async () => {
  symlinkSync('/', join(folder, 'root'));
  symlinkSync('.', join(folder, 'self'));
  expect(await digestTree(folder)).toBeDefined();
});

test('a tree has the parts that were asked for and lacks those that were skipped', async () => {
  for (const name of ['src', 'bin', 'data']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'file'), name);
  }
  const only = ['src', 'bin', 'absent'];
  const before = await digestTree(folder, { only, skip: (name) => name === 'skipped' });
  writeFileSync(join(folder, 'data/file'), 'changed');
  writeFileSync(join(folder, 'src/skipped'), 'new');
  expect(await digestTree(folder, { only, skip: (name) => name === 'skipped' })).toBe(before);
  writeFileSync(join(folder, 'src/file'), 'changed');
  expect(await digestTree(folder, { only, skip: (name) => name === 'skipped' })).not.toBe(before);
});

test('a tree that cannot be read whole has no digest', async () => {
  expect(await digestTree(join(folder, 'absent'))).toBeUndefined();
  mkdirSync(join(folder, Array.from({ length: 40 }, () => 'd').join('/')), { recursive: true });
  expect(await digestTree(folder)).toBeUndefined();
});
