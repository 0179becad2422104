import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CONFINEMENT_LAYERS, type ConfinementLayer } from '../../environment/index.ts';
import { runCanaries } from './canaries.ts';
import { makeOpenFolder, testConfiner } from './confined.test-support.ts';
import type { Confiner } from './confiner.ts';

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
