import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { isDenial } from '../../denial/index.ts';
import {
  makeOpenFolder,
  mustRead,
  type Ran,
  type RunOptions,
  runConfined,
  testConfiner,
} from './confined.test-support.ts';
import type { Confiner } from './confiner.ts';
import { closePaths, openPaths } from './granted-path.ts';

const found = testConfiner();
const IS_ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;
const SUPPORT = fileURLToPath(new URL('confined.test-support.ts', import.meta.url));

/** Whether an ordinary user can run Writ from here. */
function isOpenToAll(): boolean {
  const line = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', 'test', '-r', SUPPORT];
  return IS_ROOT && spawnSync('setpriv', line).status === 0;
}

/** What a program that was granted a folder tries, to keep something of its account when it is gone. */
const OUTLIVING = `
  use Fcntl; chdir $ARGV[0] or die;
  sub say_ { print "$_[0] ", ($_[1] ? "DONE" : "$!"), "\n" }
  open my $f, ">", "tool"; print $f "#!/bin/sh\nid -u\n"; close $f;
  for my $mode (04755, 02755, 06777) { say_("chmod", chmod $mode, "tool") }
  say_("create", sysopen my $g, "born", O_CREAT | O_RDWR, 04755);
  my ($name, $how) = ("x", "\\0" x 24); say_("openat2", syscall(437, -100, $name, $how, 24) >= 0);
  say_("link", link "/usr/bin/env", "env"); say_("rename", rename $ARGV[0], "/tmp/away");
  chmod 0755, "tool"; mkdir "sub", 06755;
`;

describe.skipIf(found === undefined)('a confined program that tries to get out', () => {
  const confiner = found as Confiner;
  const { folder, remove } = makeOpenFolder();
  afterAll(remove);

  async function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const ran = await runConfined(confiner, argv, options);
    if (isDenial(ran)) throw new Error(ran.detail);
    return ran;
  }

  const makeOpen = (name: string): string => {
    const path = join(folder, name);
    mkdirSync(path);
    chmodSync(path, 0o777);
    return path;
  };

  it('leaves nothing that lends its account, no device, and nothing outside', async () => {
    const grant = makeOpen('grant');
    const { out } = await run(['-e', OUTLIVING, grant], {
      program: mustRead('/usr/bin/perl'),
      write: [grant],
    });
    expect(out).not.toContain('DONE');
    expect(out.split('\n').filter((line) => line !== '')).toHaveLength(7);
    expect(readdirSync(grant).sort()).toEqual(['sub', 'tool']);
    for (const name of readdirSync(grant)) expect(lstatSync(join(grant, name)).mode & 0o6000).toBe(0);
    // What it needs to work is left to it.
    expect(lstatSync(join(grant, 'tool')).mode & 0o777).toBe(0o755);
    const devices = await run(
      [
        '-c',
        `cd ${grant}; for kind in "c 1 3" "c 5 0" "b 7 0"; do mknod dev $kind && echo DONE; done; cp -p /bin/true kept && install -m 4755 /bin/true lent; ls`,
      ],
      { write: [grant] },
    );
    expect(devices.out).not.toMatch(/DONE$/m);
    expect(readdirSync(grant).filter((name) => !lstatSync(join(grant, name)).isDirectory())).not.toContain(
      'dev',
    );
    for (const name of readdirSync(grant)) expect(lstatSync(join(grant, name)).mode & 0o6000).toBe(0);
  });

  it('finds nothing that a run before it left, and leaves nothing to the machine', async () => {
    const shared = ['shm', 'sem', 'msg'].map((kind) => `/proc/sysvipc/${kind}`);
    const before = shared.map((file) => readFileSync(file, 'utf8'));
    const first = await run(
      [
        '-e',
        'for my $k (1..3) { print shmget(4711, 4096, 01666) // "-", " ", semget(4711, 1, 01666) // "-", " ", msgget(4711, 01666) // "-", "\n" } for my $d ("/tmp", "/dev/shm") { open my $f, ">", "$d/left" or die; print $f "here" } print `ls /tmp /dev/shm`',
      ],
      { program: mustRead('/usr/bin/perl') },
    );
    expect(first.out).toContain('left');
    expect(first.out).not.toMatch(/^-|- /m);
    const second = await run(['-c', 'cat /proc/sysvipc/*; ls -A /tmp /dev/shm; ls /proc | grep -c "^[0-9]"']);
    expect(second.out).not.toMatch(/left|4711/);
    expect(shared.map((file) => readFileSync(file, 'utf8'))).toEqual(before);
    expect(existsSync('/dev/shm/left') || existsSync('/tmp/left')).toBe(false);
  });

  it('finds a granted folder by its very name, whatever that holds, and no other', async () => {
    const names = ['a b', 'a\nb', 'a\\040b', 'a:b,c', '--bind', 'é\u001b[31m', '$(id)', 'x'.repeat(200)];
    const paths = names.map((name) => makeOpen(name));
    for (const path of paths) writeFileSync(join(path, 'here'), '');
    const [write = '', ...read] = paths;
    const { out } = await run(
      ['-c', 'for d; do [ -e "$d/here" ] && echo seen; echo x > "$d/new" && echo WROTE; done', 'x', ...paths],
      { read, write: [write] },
    );
    expect(out.match(/^seen$/gm)).toHaveLength(names.length);
    expect(out.match(/WROTE/g)).toHaveLength(1);
    expect(paths.filter((path) => existsSync(join(path, 'new')))).toEqual([write]);
    for (const path of [
      `${folder}/${'x/'.repeat(3000)}`,
      `${folder}/${'y'.repeat(300)}`,
      `${folder}\0/etc`,
    ]) {
      expect(openPaths({ read: [path], write: [], cwd: '/', hidden: [] })).toMatchObject({
        code: 'request.malformed',
      });
    }
  });

  it.runIf(IS_ROOT)(
    'meets what is mounted in a granted folder as read-only as that, and no secret by a detour',
    async () => {
      const [grant, home] = [makeOpen('mounted'), makeOpen('home')];
      for (const name of ['m', 'bound', 'case']) mkdirSync(join(grant, name));
      const mounts = [
        ['-t', 'tmpfs', '-o', 'mode=777', 'none', join(grant, 'm')],
        ['--bind', home, join(grant, 'bound')],
      ];
      const made: string[] = [];
      try {
        for (const words of mounts) {
          execFileSync('mount', words, { stdio: 'pipe' });
          made.push(words.at(-1) ?? '');
        }
        const { out } = await run(['-c', `cd ${grant}; echo x > m/new; echo x > bound/new; cat CASE/x; ls`], {
          read: [grant],
        });
        expect(out.match(/Read-only file system/g)).toHaveLength(2);
        expect([...readdirSync(join(grant, 'm')), ...readdirSync(home)]).toEqual([]);
        const hidden = openPaths({ read: [join(grant, 'bound')], write: [], cwd: '/', hidden: [home] });
        if (!isDenial(hidden)) closePaths(hidden);
        expect(hidden).toMatchObject({ code: 'scope.arguments_not_granted' });
      } finally {
        for (const path of made) execFileSync('umount', [path]);
      }
    },
  );

  it.runIf(isOpenToAll())(
    'gets out no further where it runs as an ordinary user, whose own account it has',
    () => {
      const [grant, home] = [makeOpen('of-nobody'), makeOpen('home-of-nobody')];
      for (const name of ['.ssh-key', '.profile']) {
        writeFileSync(join(home, name), 'its owner’s', { mode: 0o600 });
        execFileSync('chown', [`${NOBODY}:${NOBODY}`, join(home, name)]);
      }
      const script = `
      const { runConfined, testConfiner, mustRead } = await import(${JSON.stringify(SUPPORT)});
      const confiner = testConfiner();
      if (confiner === undefined) process.exit(3);
      const tell = ({ out }) => process.stdout.write(out);
      tell(await runConfined(confiner, ['-c', 'id -u; cat ${home}/.ssh-key; echo x >> ${home}/.profile; kill -9 -1; kill -9 ' + process.pid + ' && echo KILLED; ls ${home} /root; : > ${grant}/ok'], { write: ['${grant}'] }));
      tell(await runConfined(confiner, ['-e', process.argv[1], '${grant}'], { program: mustRead('/usr/bin/perl'), write: ['${grant}'] }));
    `;
      let out = '';
      try {
        out = execFileSync(
          'setpriv',
          [
            ...[`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', process.execPath],
            ...['--input-type=module', '-e', script, OUTLIVING],
          ],
          {
            env: { HOME: home, PATH: process.env.PATH ?? '', TMPDIR: folder },
            encoding: 'utf8',
            stdio: 'pipe',
          },
        );
      } catch (error) {
        // Where ordinary users may not make namespaces there is nothing to try.
        if (error instanceof Error && 'status' in error && error.status === 3) return;
        throw error;
      }
      expect(out.startsWith(`${NOBODY}\n`)).toBe(true);
      expect(out).not.toMatch(/its owner|KILLED|DONE/);
      expect(readFileSync(join(home, '.profile'), 'utf8')).toBe('its owner’s');
      expect(readdirSync(grant).sort()).toEqual(['ok', 'sub', 'tool']);
      for (const name of readdirSync(grant)) expect(statSync(join(grant, name)).mode & 0o6000).toBe(0);
      rmSync(grant, { recursive: true });
    },
  );
});
