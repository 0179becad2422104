import { spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { isDenial } from '../../denial/index.ts';
import { CONFINEMENT_LAYERS } from '../../environment/index.ts';
import { runCanaries } from './canaries.ts';
import {
  makeOpenFolder,
  mustRead,
  type Ran,
  type RunOptions,
  runConfined,
  testConfiner,
} from './confined.test-support.ts';
import type { Confiner } from './confiner.ts';
import { DENIED } from './system-calls.ts';

const found = testConfiner();
const PERL = '/usr/bin/perl';

describe.skipIf(found === undefined)('a confined program', () => {
  const confiner = found as Confiner;
  const { folder, remove } = makeOpenFolder();
  afterAll(remove);

  async function sh(script: string, options: RunOptions = {}): Promise<Ran> {
    const ran = await runConfined(confiner, ['-c', script], options);
    if (isDenial(ran)) throw new Error(ran.detail);
    return ran;
  }

  async function perl(script: string, options: RunOptions = {}): Promise<Ran> {
    const ran = await runConfined(confiner, ['-e', script], { program: mustRead(PERL), ...options });
    if (isDenial(ran)) throw new Error(ran.detail);
    return ran;
  }

  it('meets every layer: the canaries of the real chain hold', async () => {
    const { states, problem } = await runCanaries(confiner);
    expect(problem).toBeUndefined();
    expect([...states].sort()).toEqual(CONFINEMENT_LAYERS.map((layer) => [layer, 'holds']).sort());
  });

  it('runs with its exit code, its arguments and nothing inherited', async () => {
    const ran = await sh('printf "%s|" "$@"; env; id -u; pwd; exit 7', {});
    expect(ran.exitCode).toBe(7);
    expect(ran.out.split('\n').sort()).toEqual(
      [
        '|HOME=/tmp',
        'LANG=C.UTF-8',
        'PATH=/usr/local/bin:/usr/bin:/bin',
        'PWD=/',
        '/',
        `${confiner.account?.uid ?? process.getuid?.()}`,
        '',
      ].sort(),
    );
  });

  it('reads and writes what is granted, and nothing beside it', async () => {
    mkdirSync(join(folder, 'a/in'), { recursive: true });
    mkdirSync(join(folder, 'a/out'));
    chmodSync(join(folder, 'a/out'), 0o777);
    writeFileSync(join(folder, 'a/in/x'), 'granted\n');
    writeFileSync(join(folder, 'a/secret'), 'secret\n', { mode: 0o666 });
    symlinkSync('../secret', join(folder, 'a/in/link'));
    symlinkSync('/etc/shadow', join(folder, 'a/out/shadow'));
    const { out } = await sh(
      `cd ${folder}/a; cat in/x; echo made > out/y; cat secret in/link out/shadow in/../secret; echo x > in/new; echo x >> in/x; echo y > secret`,
      { read: [join(folder, 'a/in')], write: [join(folder, 'a/out')] },
    );
    expect(out).toContain('granted');
    expect(out).not.toContain('secret\nsecret');
    expect(readFileSync(join(folder, 'a/out/y'), 'utf8')).toBe('made\n');
    expect(readFileSync(join(folder, 'a/in/x'), 'utf8')).toBe('granted\n');
    expect(readFileSync(join(folder, 'a/secret'), 'utf8')).toBe('secret\n');
    expect(existsSync(join(folder, 'a/in/new'))).toBe(false);
  });

  it('cannot reach out of a writable folder by a hard link', async () => {
    mkdirSync(join(folder, 'h/out'), { recursive: true });
    chmodSync(join(folder, 'h/out'), 0o777);
    writeFileSync(join(folder, 'h/own'), 'mine', { mode: 0o644 });
    const { out } = await sh(
      `ln /usr/bin/env ${folder}/h/out/env && echo LINKED; ln /etc/passwd ${folder}/h/out/p && echo LINKED; ls ${folder}/h/out`,
      {
        write: [join(folder, 'h/out')],
      },
    );
    expect(out).not.toContain('LINKED');
    // One that was there before is what its folder's owner put there; it keeps its owner's protection.
    if (process.getuid?.() === 0) {
      linkSync(join(folder, 'h/own'), join(folder, 'h/out/own'));
      await sh(`echo yours > ${folder}/h/out/own`, { write: [join(folder, 'h/out')] });
      expect(readFileSync(join(folder, 'h/own'), 'utf8')).toBe('mine');
    }
  });

  it('is not made where a granted path was swapped after it was decided on', async () => {
    mkdirSync(join(folder, 's/secret'), { recursive: true });
    chmodSync(join(folder, 's/secret'), 0o777);
    for (const swap of [
      () => symlinkSync(join(folder, 's/secret'), join(folder, 's/granted')),
      () => mkdirSync(join(folder, 's/granted')),
    ]) {
      rmSync(join(folder, 's/granted'), { recursive: true, force: true });
      mkdirSync(join(folder, 's/granted'));
      const ran = await runConfined(confiner, ['-c', `echo x > ${folder}/s/granted/x`], {
        write: [join(folder, 's/granted')],
        beforeHold() {
          renameSync(
            join(folder, 's/granted'),
            join(folder, `s/old${readdirSync(join(folder, 's')).length}`),
          );
          swap();
        },
      });
      expect(ran).toMatchObject({ code: 'environment.mismatch' });
      expect(readdirSync(join(folder, 's/secret'))).toEqual([]);
    }
  });

  it('is the bytes that were hashed, whatever the file holds by then', async () => {
    const path = join(folder, 'tool.sh');
    writeFileSync(path, '#!/bin/sh\necho hashed\n', { mode: 0o755 });
    const program = mustRead(path);
    const ran = await runConfined(confiner, [], {
      program,
      beforeHold: () => writeFileSync(path, '#!/bin/sh\necho swapped\n'),
    });
    expect(ran).toMatchObject({ out: 'hashed\n', exitCode: 0 });
    const late = await runConfined(confiner, [], {
      program,
      beforeRelease: () => writeFileSync(path, '#!/bin/sh\necho swapped\n'),
    });
    expect(late).toMatchObject({ out: 'hashed\n' });
  });

  it('finds nothing of other processes in /proc, nor a way out of its root', async () => {
    const { out } = await sh(
      'for p in /proc/[0-9]*; do cat $p/environ $p/cmdline 2>/dev/null | tr "\\0" " "; ls $p/root/etc/shadow $p/cwd/../../etc/shadow 2>/dev/null; done; cat /proc/1/root/etc/shadow /proc/self/root/root/.profile; ls -l /proc/1/fd /proc/1/exe',
    );
    expect(out).not.toMatch(/shadow$/m);
    expect(out).not.toContain('root:');
    expect(out).not.toContain('vitest');
    expect(out).toMatch(/\/proc\/1\/root\/etc\/shadow: (?:Permission denied|No such file)/);
  });

  it('gets none of the descriptors that this process was left with', async () => {
    const file = openSync('/etc/passwd', 'r');
    // Node's own close on exec; a parent's do not: those of this process, if any, are among them.
    const { out } = await sh('for f in /proc/self/fd/*; do readlink $f; done');
    closeSync(file);
    expect(out).not.toContain('/etc/passwd');
    for (const line of out.trim().split('\n'))
      expect(line).toMatch(/^(?:\/dev\/null|pipe:|socket:|\/proc\/\d+\/fd)/);
  });

  it('has no network, and no local sockets', async () => {
    const { out } = await perl(
      'use Socket; for my $f (AF_UNIX, 16, 17, 40, 38) { print socket(my $s, $f, SOCK_STREAM, 0) ? "made $f\\n" : "no\\n" } socket(my $t, AF_INET, SOCK_STREAM, 0) or die; print connect($t, pack_sockaddr_in(53, inet_aton("1.1.1.1"))) ? "connected\\n" : "not: $!\\n"',
    );
    expect(out).not.toMatch(/made|^connected/m);
    expect(out).toContain('Network is unreachable');
    // An end of a pair of datagrams could be connected to whatever listens in a granted folder.
    const pairs = await perl(
      'use Socket; for my $t (SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM, SOCK_RAW) { print socketpair(my $a, my $b, AF_UNIX, $t, 0) ? "pair " : "none " }',
    );
    expect(pairs.out).toBe('pair pair none none ');
  });

  it('has every denied system call refused', async () => {
    const column = process.arch === 'arm64' ? 1 : 0;
    const calls = Object.entries(DENIED).flatMap(([name, numbers]) => {
      const number = numbers[column];
      return number === undefined || name === 'vhangup' ? [] : [`${name}:${number}`];
    });
    const { out, exitCode } = await perl(
      `for (qw(${calls.join(' ')})) { my ($n, $c) = split /:/; $! = 0; my $r = syscall($c, 0, 0, 0, 0, 0, 0); print "$n $r ", $!+0, "\\n" } print "clone3 ", syscall(435, 0, 0), " ", $!+0, "\\n"; print "clone ", syscall(${column === 0 ? 56 : 220}, 0x10000000 | 17, 0, 0, 0, 0), " ", $!+0, "\\n"; my $b = "x"; print "sti ", (ioctl(STDIN, 0x5412, $b) ? 1 : -1), " ", $!+0, "\\n"`,
    );
    expect(exitCode).toBe(0);
    const lines = out.trim().split('\n');
    expect(lines).toHaveLength(calls.length + 3);
    for (const line of lines) expect(line).toMatch(line.startsWith('clone3') ? / -1 38$/ : / -1 1$/);
  });

  it.runIf(process.arch === 'x64')('cannot call by another architecture', async () => {
    const { out } = await perl('print syscall(0x40000000 + 39), " ", $!+0');
    expect(out).toBe('-1 1');
  });

  it('cannot gain a uid, a capability or a namespace', async () => {
    const { out } = await sh(
      'for p in su sudo mount passwd; do [ -u /usr/bin/$p ] && echo "setuid $p"; done; unshare -Ur id -u; mount -t tmpfs x /mnt; echo x > /proc/self/uid_map; echo 1 > /proc/self/oom_score_adj; echo x > /proc/sys/kernel/hostname; hostname evil; chroot / id; grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status',
    );
    expect(out).toMatch(/CapEff:\s+0{16}\nCapBnd:\s+0{16}\nNoNewPrivs:\s+1\nSeccomp:\s+2/);
    expect(out).not.toMatch(/^0$/m);
  });

  it('runs no code that its environment names, unless that was granted apart', async () => {
    const { out } = await sh('echo "$LD_PRELOAD"');
    expect(out).toBe('\n');
  });

  it('cannot fork without end', async () => {
    const { out, exitCode } = await sh('n=0; while [ $n -lt 60 ]; do sleep 20 & n=$((n+1)); done; echo all', {
      limits: { processes: 16, wallSeconds: 20 },
    });
    expect(out).not.toContain('all');
    expect(exitCode).not.toBe(0);
  });

  it('cannot take more memory than it was granted', async () => {
    const { out, exitCode, use } = await perl('my $x = "x" x (400 * 1024 * 1024); print "had it"', {
      limits: { memoryBytes: 64 * 1024 * 1024 },
    });
    expect(out).not.toContain('had it');
    expect(exitCode).not.toBe(0);
    if (use?.memoryPeakBytes !== undefined) expect(use.memoryPeakBytes).toBeLessThan(80 * 1024 * 1024);
  });

  it('cannot write a larger file than it was granted', async () => {
    mkdirSync(join(folder, 'f'));
    chmodSync(join(folder, 'f'), 0o777);
    const { exitCode } = await sh(`head -c 9000000 /dev/zero > ${folder}/f/big`, {
      write: [join(folder, 'f')],
      limits: { fileBytes: 1_000_000 },
    });
    expect(exitCode).not.toBe(0);
    expect(readFileSync(join(folder, 'f/big')).byteLength).toBe(1_000_000);
    // Itself it is larger, and was copied into the sandbox.
    const program = mustRead(PERL);
    expect(program.bytes.byteLength).toBeGreaterThan(1_000_000);
    const { out } = await perl(
      '$SIG{XFSZ} = "IGNORE"; open my $f, ">", "/tmp/big" or die; syswrite $f, "x" x 9_000_000; print -s $f',
      { program, limits: { fileBytes: 1_000_000 } },
    );
    expect(out).toBe('1000000');
  });

  it('is kept to the very limits that were decided, and cannot raise them', async () => {
    const { out } = await sh(
      'ulimit -n 17; ulimit -f 9999999; while read -r line; do echo "$line"; done < /proc/self/limits',
      { limits: { openFiles: 16, fileBytes: 0, cpuSeconds: 7 } },
    );
    expect(out).toMatch(/^Max open files +16 +16 /m);
    expect(out).toMatch(/^Max file size +0 +0 /m);
    expect(out).toMatch(/^Max cpu time +7 +7 /m);
    const opened = await perl('my @f; while (open my $f, "<", "/dev/null") { push @f, $f } print 3 + @f', {
      limits: { openFiles: 20 },
    });
    expect(opened.out).toBe('20');
  });

  it('dies with all that it started: what ignores signals, leaves its session, forks twice', async () => {
    const started = performance.now();
    let killedMs = 0;
    const marker = `marker-${process.pid}`;
    const ran = await sh(
      `trap "" TERM INT HUP; setsid sh -c 'trap "" TERM; (setsid sleep 300 ${''}&) ; exec sleep 301' & sleep 0.1; echo ${marker}; while :; do sleep 1; done`,
      {
        onData(text, held) {
          if (killedMs !== 0 || !text.includes(marker)) return;
          held.signal('SIGTERM');
          killedMs = performance.now();
          held.kill();
        },
      },
    );
    expect(ran.exitCode).toBeUndefined();
    expect(killedMs).toBeGreaterThan(started);
    expect(performance.now() - killedMs).toBeLessThan(2000);
    expect(processesLike(/sleep 30[01] /)).toEqual([]);
  });

  it('does not run when whoever holds it is killed, and is not left behind', async () => {
    mkdirSync(join(folder, 'k'));
    chmodSync(join(folder, 'k'), 0o777);
    const here = (file: string): string => JSON.stringify(fileURLToPath(new URL(file, import.meta.url)));
    const holder = spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `const { runConfined, testConfiner } = await import(${here('./confined.test-support.ts')});
       await runConfined(testConfiner(), ['-c', 'echo ran > ${folder}/k/ran'], { write: ['${folder}/k'],
         beforeRelease: (held) => { console.log('held'); held.release = () => {}; } });
       setInterval(() => {}, 1000);`,
    ]);
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    holder.kill('SIGKILL');
    await new Promise((resolve) => holder.once('close', resolve));
    // Whoever comes next ends what is left.
    await sh('true');
    expect(readdirSync(join(folder, 'k'))).toEqual([]);
    expect(processesLike(new RegExp(`${folder}/k/ran`))).toEqual([]);
  });

  it('does not run when it is not released', async () => {
    mkdirSync(join(folder, 'g'));
    chmodSync(join(folder, 'g'), 0o777);
    const ran = await sh(`echo ran > ${folder}/g/ran`, {
      write: [join(folder, 'g')],
      beforeRelease: (held) => held.kill(),
    });
    expect(ran.exitCode).toBeUndefined();
    expect(readdirSync(join(folder, 'g'))).toEqual([]);
  });
});

function processesLike(pattern: RegExp): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => pattern.test(line));
}
