import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { findDrift } from '../compare-measurements.ts';
import { measureContainer } from './container.ts';
import { measureMachine } from './machine.ts';
import { nearestLockfile, readManifest } from './nearest.ts';
import { measureRepository } from './repository.ts';
import { digestTree } from './tree-digest.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-collectors-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

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

test('container: where nobody tells, the layers of its root, which the same image has on the same host', async () => {
  const mount = (options: string) =>
    write(
      'mountinfo',
      `1 0 8:1 / / rw - ext4 /dev/sda rw\n22 1 0:5 / / rw,relatime - overlay overlay rw,${options}\n`,
    );
  const layers = async (options: string) =>
    measureContainer(undefined, 1, { containerenv: join(folder, 'none'), mountinfo: mount(options) });
  const [first] = await layers('lowerdir=/snapshots/2/fs:/snapshots/1/fs,upperdir=/snapshots/7/fs');
  expect(first).toMatchObject({ kind: 'container', name: 'layers', collector: 'mountinfo' });
  expect(
    await layers('lowerdir+=/snapshots/2/fs,lowerdir+=/snapshots/1/fs,upperdir=/snapshots/8/fs'),
  ).toEqual([first]);
  expect((await layers('lowerdir=/snapshots/3/fs:/snapshots/1/fs'))[0]?.digest).not.toBe(first?.digest);
  // Docker's topmost one is another in each container.
  const docker = (own: string) => layers(`lowerdir=/docker/overlay2/l/${own}:/docker/overlay2/l/IMAGE`);
  expect(await docker('A')).toEqual(await docker('B'));
  write('mountinfo', '22 1 0:5 / / rw - ext4 /dev/sda rw\n');
  expect(
    await measureContainer(undefined, 1, { containerenv: '/none', mountinfo: join(folder, 'mountinfo') }),
  ).toEqual([]);
});

describe('a repository that lies', () => {
  beforeEach(() => {
    mkdirSync(join(folder, '.git/refs/heads'), { recursive: true });
    mkdirSync(join(folder, 'src/.writ'), { recursive: true });
    write('.git/HEAD', 'ref: refs/heads/main\n');
    write('.git/refs/heads/main', `${'1'.repeat(40)}\n`);
    write('.gitignore', 'ignored\n');
    write('a', 'a');
    write('ignored', 'a');
    symlinkSync('a', join(folder, 'link'));
  });

  /** By bytes that are not UTF-8. */
  const bytes = (name: string) => Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, 'latin1')]);

  it.each<[string, () => unknown, () => unknown]>([
    [
      'a file of the same size and time',
      () => utimesSync(write('a', 'a'), 1, 1),
      () => utimesSync(write('a', 'b'), 1, 1),
    ],
    ['an ignored file', () => undefined, () => write('ignored', 'b')],
    ['a file that may be executed', () => undefined, () => chmodSync(join(folder, 'a'), 0o755)],
    [
      'a link elsewhere',
      () => undefined,
      () => {
        symlinkSync('ignored', join(folder, 'next'));
        renameSync(join(folder, 'next'), join(folder, 'link'));
      },
    ],
    [
      'a link in place of its file',
      () => undefined,
      () => {
        rmSync(join(folder, 'a'));
        symlinkSync('ignored', join(folder, 'a'));
      },
    ],
    ['a folder that is called as the trust domain is', () => undefined, () => write('src/.writ/x', 'x')],
    ['a pipe', () => undefined, () => execFileSync('mkfifo', [join(folder, 'pipe')])],
    [
      'names that are not UTF-8',
      () => writeFileSync(bytes('\xff'), ''),
      () => renameSync(bytes('\xff'), bytes('\xfe')),
    ],
    [
      'a name that is text, and bytes that read like it',
      () => writeFileSync(bytes('\xff'), ''),
      () => renameSync(bytes('\xff'), join(folder, '\ufffd')),
    ],
    [
      'where a link leads that is not UTF-8',
      () => symlinkSync(Buffer.from([0xff]), bytes('l')),
      () => {
        rmSync(bytes('l'));
        symlinkSync(Buffer.from([0xfe]), bytes('l'));
      },
    ],
  ])('%s makes another working tree', async (_name, before, change) => {
    before();
    const first = await measureRepository(folder);
    change();
    const second = await measureRepository(folder);
    expect(first.map(({ kind }) => kind)).toEqual(['commit', 'worktree']);
    expect(findDrift(first, second)).toMatchObject([{ kind: 'worktree', change: 'changed' }]);
  });

  it('a branch that is a link to another is that other one, whatever is packed under its name', async () => {
    const [first] = await measureRepository(folder);
    write('.git/packed-refs', `${'1'.repeat(40)} refs/heads/main\n`);
    write('.git/refs/heads/main', 'ref: refs/heads/\u00e9t\u00e9\n');
    write('.git/refs/heads/\u00e9t\u00e9', `${'2'.repeat(40)}\n`);
    const [second] = await measureRepository(folder);
    expect(second).toMatchObject({ kind: 'commit' });
    expect(second?.digest).not.toBe(first?.digest);
    for (const wrong of ['ref: refs/heads/main\n', 'nonsense\n', '\0'.repeat(2 ** 20 + 1)]) {
      write('.git/refs/heads/main', wrong);
      expect((await measureRepository(folder)).map(({ kind }) => kind)).toEqual(['worktree']);
    }
  });

  it('files that never end, or wait for a writer, hold nothing up', async () => {
    for (const name of ['.git/HEAD', 'package.json']) {
      rmSync(join(folder, name), { force: true });
      symlinkSync('/dev/zero', join(folder, name));
    }
    expect((await measureRepository(folder)).map(({ kind }) => kind)).toEqual(['worktree']);
    expect(await readManifest(folder)).toBeUndefined();
    rmSync(join(folder, 'package.json'));
    execFileSync('mkfifo', [join(folder, 'package.json')]);
    expect(await readManifest(folder)).toBeUndefined();
    symlinkSync('/dev/zero', join(folder, 'uv.lock'));
    expect(await nearestLockfile(folder)).toBeUndefined();
  });

  it('more than can be measured is not measured, and so not bound', async () => {
    let deep = folder;
    for (let depth = 0; depth < 34; depth += 1) deep = join(deep, 'd');
    mkdirSync(deep, { recursive: true });
    expect(await digestTree(folder)).toBeUndefined();
    rmSync(join(folder, 'd'), { recursive: true });
    writeFileSync(join(folder, 'large'), '');
    execFileSync('truncate', ['-s', '2G', join(folder, 'large')]);
    expect((await measureRepository(folder)).map(({ kind }) => kind)).toEqual(['commit']);
  });

  it('its configuration runs nothing, and its index hides nothing', async () => {
    rmSync(join(folder, '.git'), { recursive: true });
    const ran = join(folder, '.git/ran');
    const git = (...args: readonly string[]) =>
      execFileSync('git', args, {
        cwd: folder,
        env: { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: '1', HOME: folder },
        stdio: 'pipe',
      });
    git('init', '-q');
    git('add', '-A');
    git('update-index', '--assume-unchanged', 'a');
    git('update-index', '--skip-worktree', 'link');
    const before = await measureRepository(folder);
    const trap = write('.git/trap', `#!/bin/sh\ntouch ${ran}\n`);
    chmodSync(trap, 0o755);
    write('.git/config', `[core]\nfsmonitor = ${trap}\npager = ${trap}\n[filter "x"]\nclean = ${trap}\n`);
    write('.git/info/attributes', '* filter=x\n');
    write('a', 'b');
    const after = await measureRepository(folder);
    expect(existsSync(ran)).toBe(false);
    expect(findDrift(before, after)).toMatchObject([{ kind: 'worktree', change: 'changed' }]);
    // Git itself would have run it.
    git('status', '--short');
    expect(existsSync(ran)).toBe(true);
  });

  it('a submodule is what is checked out in it', async () => {
    mkdirSync(join(folder, '.git/modules/sub'), { recursive: true });
    mkdirSync(join(folder, 'sub'));
    write('sub/.git', 'gitdir: ../.git/modules/sub\n');
    write('sub/code', 'a');
    const first = await measureRepository(folder);
    write('sub/code', 'b');
    expect(findDrift(first, await measureRepository(folder))).toMatchObject([{ kind: 'worktree' }]);
  });
});
