import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findDrift } from '../compare-measurements.ts';
import type { Component } from '../component.ts';
import { measureContainer } from './container.ts';
import { EnvironmentWatch } from './environment-watch.ts';
import { digestFile } from './file-digest.ts';
import { measureMachine } from './machine.ts';
import { measureRepository } from './repository.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-watch-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

test('what is unchanged is not measured again; what changes is, and is told, unasked', async () => {
  const path = write('file', 'one');
  let measured = 0;
  let told: (components: readonly Component[]) => void = () => undefined;
  const next = () => new Promise<readonly Component[]>((resolve) => (told = resolve));
  let fails = false;
  const watch = new EnvironmentWatch({
    measure: async () => {
      measured += 1;
      if (fails) throw new Error('cannot be measured');
      const digest = await digestFile(path);
      return digest === undefined ? [] : [{ kind: 'file', name: 'file', digest }];
    },
    paths: [path],
    everyMs: 3_600_000,
    onMeasured: (components) => told(components),
  });
  try {
    const first = await watch.measure();
    for (let times = 0; times < 10; times += 1) expect(await watch.measure()).toBe(first);
    expect(measured).toBe(1);

    let coming = next();
    writeFileSync(path, 'two, longer');
    const changed = await coming;
    expect(findDrift(first, changed)).toMatchObject([{ kind: 'file', change: 'changed' }]);

    // Whatever can be measured no longer is bound by nobody.
    fails = true;
    coming = next();
    writeFileSync(path, 'three, longer yet');
    expect(await coming).toEqual([]);
  } finally {
    watch.stop();
  }
});

test('a change while it is being measured is measured and told, unasked and without waiting for the timer', async () => {
  const path = write('file', 'one');
  const read = async () => {
    const digest = await digestFile(path);
    return digest === undefined ? [] : [{ kind: 'file', name: 'file', digest }];
  };
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const gate = Promise.withResolvers<void>();
  const isRead = Promise.withResolvers<void>();
  const told = Promise.withResolvers<readonly Component[]>();
  let measured = 0;
  let atOnce = 0;
  let mostAtOnce = 0;
  const watch = new EnvironmentWatch({
    measure: async () => {
      measured += 1;
      atOnce += 1;
      mostAtOnce = Math.max(mostAtOnce, atOnce);
      const components = await read();
      // The first one has read everything, and is not done yet.
      isRead.resolve();
      if (measured === 1) await gate.promise;
      atOnce -= 1;
      return components;
    },
    paths: [path],
    everyMs: 3_600_000,
    onMeasured: (components) => told.resolve(components),
  });
  try {
    const first = watch.measure();
    await isRead.promise;
    writeFileSync(path, 'two, longer');
    // Seen, and due to be measured while the first one still is.
    while (vi.getTimerCount() === 0) await setImmediate();
    vi.runAllTimers();
    gate.resolve();
    const before = await first;
    expect(findDrift(before, await told.promise)).toMatchObject([{ kind: 'file', change: 'changed' }]);
    expect(await watch.measure()).toEqual(await read());
    expect({ measured, mostAtOnce }).toEqual({ measured: 2, mostAtOnce: 1 });
  } finally {
    watch.stop();
    vi.useRealTimers();
  }
});

test('a change is seen by its status where no event has come yet', async () => {
  const path = write('file', 'one');
  let measured = 0;
  const watch = new EnvironmentWatch({
    measure: async () => {
      measured += 1;
      return [];
    },
    // Not there yet, so nothing watches it.
    paths: [join(folder, 'absent'), path],
    everyMs: 3_600_000,
    onMeasured: () => undefined,
  });
  await watch.measure();
  writeFileSync(join(folder, 'absent'), 'now it is');
  await watch.measure();
  watch.stop();
  expect(measured).toBe(2);
});

test('machine: kernel, system and a keyed id that tells nothing and differs by domain', async () => {
  const id = '0123456789abcdef0123456789abcdef';
  const files = {
    version: write('version', 'Linux version 6.1\n'),
    osRelease: write('os-release', 'NAME="Debian"\nID=debian\nVERSION_ID="12"\n'),
    machineId: write('machine-id', `${id}\n`),
  };
  const [kernel, os, machine] = await measureMachine('a.test', files);
  expect([kernel?.kind, os?.name, machine?.name]).toEqual(['kernel', 'debian-12', 'a.test']);
  const [, , elsewhere] = await measureMachine('b.test', files);
  expect(elsewhere?.digest).not.toBe(machine?.digest);
  expect(JSON.stringify(machine)).not.toContain(id);
  writeFileSync(files.machineId, 'uninitialized\n');
  expect((await measureMachine('a.test', files)).map(({ kind }) => kind)).toEqual(['kernel', 'os']);
});

test('container: what the orchestrator tells, pinned, or what Podman has written; nothing else', async () => {
  const digest = `sha256:${'0a'.repeat(32)}`;
  const none = join(folder, 'none');
  expect(
    await measureContainer(`ghcr.io/a/b:1@${digest}`, 1, { containerenv: none, mountinfo: none }),
  ).toEqual([{ kind: 'container', name: 'ghcr.io/a/b:1', digest, collector: 'container', at: 1 }]);
  for (const told of ['ghcr.io/a/b:1', `a b@${digest}`, `x@${digest}0`]) {
    expect(await measureContainer(told, 1, { containerenv: none, mountinfo: none })).toEqual([]);
  }
  const env = write(
    'containerenv',
    `engine="podman-4"\nimage="docker.io/x:1"\nimageid="${'0b'.repeat(32)}"\n`,
  );
  expect(await measureContainer(undefined, 1, { containerenv: env })).toEqual([
    {
      kind: 'container',
      name: 'docker.io/x:1',
      digest: `sha256:${'0b'.repeat(32)}`,
      collector: 'container',
      at: 1,
    },
  ]);
  expect(await measureContainer(undefined, 1, { containerenv: none, mountinfo: none })).toEqual([]);
});

test('repository: its commit through loose and packed refs, and its working tree; git is not run', async () => {
  mkdirSync(join(folder, '.git/refs/heads'), { recursive: true });
  write('.git/HEAD', 'ref: refs/heads/main\n');
  write('.git/refs/heads/main', `${'1'.repeat(40)}\n`);
  write('a.txt', 'a');
  mkdirSync(join(folder, 'deep'));
  const [commit, tree] = await measureRepository(join(folder, 'deep'));
  expect([commit?.kind, tree?.kind]).toEqual(['commit', 'worktree']);
  rmSync(join(folder, '.git/refs/heads/main'));
  write('.git/packed-refs', `# pack-refs\n${'1'.repeat(40)} refs/heads/main\n`);
  write('a.txt', 'b');
  const [packed, dirty] = await measureRepository(folder);
  expect(packed).toEqual(commit);
  expect(dirty?.digest).not.toBe(tree?.digest);
  write('.git/HEAD', 'ref: refs/../../../etc/passwd\n');
  expect((await measureRepository(folder)).map(({ kind }) => kind)).toEqual(['worktree']);
});
