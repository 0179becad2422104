import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../codec/index.ts';
import { CONFINEMENT_LAYERS, type ConfinementLayer } from '../../environment/index.ts';
import { runCanaries } from './canaries.ts';
import { makeOpenFolder, testConfiner } from './confined.test-support.ts';
import type { Confiner } from './confiner.ts';
import { KEPT_SECONDS, runCanariesUnlessKept } from './kept-canaries.ts';

const found = testConfiner();

/** A bubblewrap that confines less than it is told to: with options of its own, or without some that it was given. */
const weakBubblewrap = (real: string, more: string, without: string): string => `#!/usr/bin/perl
$^F = 255;
open my $in, '<&=', 3 or die;
local $/;
my @options = split /\\0/, <$in>;
close $in;
my %without = (${without});
my @left;
while (@options) {
  my $option = shift @options;
  if (exists $without{$option}) { splice @options, 0, $without{$option} } else { push @left, $option }
}
open my $leak, '<', '/etc/hostname' if '${more}' eq 'leak';
my @more = '${more}' eq 'leak' ? () : qw(${more});
exec '${real}', @left, @more, @ARGV[2 .. $#ARGV];
`;

describe.skipIf(found === undefined)('the canaries', () => {
  const confiner = found as Confiner;
  const { folder, remove } = makeOpenFolder();
  afterAll(remove);

  function makeProgram(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    chmodSync(path, 0o755);
    return path;
  }

  async function states(more: string, without = '') {
    const path = makeProgram('bwrap', weakBubblewrap(confiner.bubblewrap.path, more, without));
    return runCanaries({ ...confiner, bubblewrap: { ...confiner.bubblewrap, path } });
  }

  /** The state of `limits` where programs on the way are started without some of their arguments. */
  async function limitsWithout(pattern: string, more: Partial<Confiner> = {}) {
    const { prlimit, bubblewrap } = confiner;
    const weak = ({ path }: typeof prlimit, name: string): string =>
      makeProgram(name, `#!/usr/bin/perl\n$^F = 255;\nexec '${path}', grep { !/${pattern}/ } @ARGV;\n`);
    const report = await runCanaries({
      ...confiner,
      prlimit: { ...prlimit, path: weak(prlimit, 'prlimit') },
      bubblewrap: { ...bubblewrap, path: weak(bubblewrap, 'bwrap') },
      ...more,
    });
    return report.states.get('limits');
  }

  it('find nothing where the chain is as it was meant to be', async () => {
    const report = await states('');
    expect(report.problem).toBeUndefined();
    for (const layer of CONFINEMENT_LAYERS) expect(report.states.get(layer), layer).toBe('holds');
  });

  it.each<[string, string, string, readonly ConfinementLayer[]]>([
    ['the files of the machine', '--bind /tmp /tmp', '', ['files-read', 'files-write']],
    ['a descriptor', 'leak', '', ['descriptors']],
    ['no filter', '', "'--seccomp', 1", ['system-calls']],
    ['settings of the kernel', '--ro-bind /sys /sys', '', ['kernel-settings']],
    ['processes of the machine', '--ro-bind /proc /proc', '', ['processes']],
  ])('find a chain that leaves %s', async (_name, more, without, layers) => {
    const report = await states(more, without);
    for (const layer of layers) expect(report.states.get(layer), layer).not.toBe('holds');
  });

  it.each(['core', 'cpu', 'fsize', 'nofile', 'memlock', 'msgqueue'])(
    'find a chain that leaves a process without its limit of %s',
    async (option) => {
      expect(await limitsWithout(`^--${option}=`)).toBe('leaks');
    },
  );

  it('find memory and processes that nothing bounds where there is no control group', async () => {
    const alone = { openGroup: () => undefined };
    expect(await limitsWithout('^--none=', alone)).toBe('holds');
    expect(await limitsWithout('^--data=', alone)).toBe('leaks');
    expect(await limitsWithout('^--nproc=', alone)).toBe('leaks');
  });

  describe('that were kept', () => {
    const cache = join(folder, 'cache');
    const file = join(cache, 'canaries.json');
    const enforcer = [{ kind: 'writ', name: '1', digest: digestOf('code') }];
    let [wallMs, upMs] = [1_000_000, 5_000];
    const clock = { wallMs: () => wallMs, upMs: () => upMs };
    /** Whether they ran, told by gates that were taken. */
    async function ran(change: Partial<Confiner> = {}, by = enforcer) {
      let made = 0;
      const gates = new Proxy(confiner.gates, {
        get(target, name) {
          if (name === 'takeReady') made += 1;
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      const chain = { ...confiner, gates, ...change };
      const report = await runCanariesUnlessKept(chain, { file, enforcer: by, clock });
      return { ...report, ran: made > 0 };
    }

    it('are not run again within a minute, and make no measurement younger', async () => {
      mkdirSync(cache, { mode: 0o700 });
      expect(await ran()).toMatchObject({ ran: true, atSeconds: 1000 });
      [wallMs, upMs] = [wallMs + 30_000, upMs + 30_000];
      const again = await ran();
      expect(again).toMatchObject({ ran: false, atSeconds: 1000 });
      for (const layer of CONFINEMENT_LAYERS) expect(again.states.get(layer), layer).toBe('holds');
    });

    it('count for nothing after a minute by either clock, nor before they ran', async () => {
      const kept = readFileSync(file);
      const [wall, up] = [wallMs, upMs];
      for (const [byWall, byUp] of [
        [KEPT_SECONDS * 1000, 0],
        [0, KEPT_SECONDS * 1000],
        [-wall + 1, 0],
        [0, -up],
      ] as const) {
        [wallMs, upMs] = [wall + byWall, up + byUp];
        expect(await ran()).toMatchObject({ ran: true });
        writeFileSync(file, kept);
      }
      [wallMs, upMs] = [wall, up];
      expect(await ran()).toMatchObject({ ran: false });
    });

    it('do not hide a bubblewrap that was weakened after they ran, and what leaks is not kept', async () => {
      const path = makeProgram('bwrap', weakBubblewrap(confiner.bubblewrap.path, '--bind /tmp /tmp', ''));
      const weak = { bubblewrap: { path, digest: confiner.bubblewrap.digest } };
      for (const _ of [1, 2]) {
        const report = await ran(weak);
        expect(report.ran).toBe(true);
        expect(report.states.get('files-write')).toBe('leaks');
      }
      // At its own path, told by its bytes.
      const digest = digestOf('other bytes');
      expect(await ran({ bubblewrap: { ...confiner.bubblewrap, digest } })).toMatchObject({ ran: true });
    });

    it('count for nothing with another Writ, nor for another account', async () => {
      expect(await ran()).toMatchObject({ ran: true });
      expect(await ran()).toMatchObject({ ran: false });
      const other = [{ kind: 'writ', name: '1', digest: digestOf('other code') }];
      const kept = readFileSync(file);
      expect(await ran({}, other)).toMatchObject({ ran: true });
      writeFileSync(file, kept);
      const { uid } = confiner.account ?? {};
      if (uid !== undefined) {
        expect(await ran({ account: { uid: uid + 1, gid: uid + 1 } })).toMatchObject({ ran: true });
        writeFileSync(file, kept);
      }
      expect(await ran()).toMatchObject({ ran: false });
    });

    it('count for nothing where another account wrote them, or could have', async () => {
      const isRoot = process.getuid?.() === 0;
      const cases: (() => void)[] = [
        () => chmodSync(file, 0o660),
        () => chmodSync(cache, 0o777),
        ...(isRoot ? [() => chownSync(file, 1, 1), () => chownSync(cache, 1, 1)] : []),
      ];
      for (const open of cases) {
        open();
        expect(await ran()).toMatchObject({ ran: true });
        // What was just kept is nobody else's file; the folder may still be another's.
        if (isRoot) for (const path of [cache, file]) chownSync(path, 0, 0);
        chmodSync(cache, 0o700);
        chmodSync(file, 0o600);
        expect(await ran()).toMatchObject({ ran: false });
      }
    });
  });

  it('are not even run where a namespace is shared', async () => {
    const { states: found, problem } = await states('--share-net');
    expect(problem).toBe('the sandbox shares a namespace: net');
    expect(found.size).toBe(0);
  });

  it('say nothing where bubblewrap does not confine at all: then every layer is absent', async () => {
    const path = makeProgram('bwrap', '#!/bin/sh\nshift 3\nexec "$@"\n');
    const report = await runCanaries({ ...confiner, bubblewrap: { ...confiner.bubblewrap, path } });
    expect(report.states.size).toBe(0);
    expect(report.problem).toBe('the sandbox could not be made');
  });
});
