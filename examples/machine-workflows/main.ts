// A nightly backup by tar, confined: it reads the data, writes to where backups go, and has nothing else: no network, no other file, no
// shell. Every known way to make tar run something is refused before tar is started. Needs bubblewrap (`writ doctor` says so).

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readToken } from '../../src/artifact/index.ts';
import { isJsonObject } from '../../src/codec/index.ts';
import { readArtifactFile } from '../../src/governor/index.ts';
import { must } from '../support/must.ts';
import { playAlone } from '../support/play-alone.ts';
import { type Expected, type PlayOptions, type Report, Scenario } from '../support/scenario.ts';

const EXAMPLE = import.meta.dirname;
const TAR = ['/usr/bin/tar', '/bin/tar'].find((path) => existsSync(path)) ?? 'tar';

/** Ways to a shell, a foreign file or another machine that tar is known for (gtfobins.github.io), and those of every program. */
export const WAYS_OUT = (mark: string): Readonly<Record<string, readonly string[]>> => ({
  'a command at a checkpoint': ['--checkpoint=1', `--checkpoint-action=exec=touch ${mark}`],
  'the same, abbreviated': ['--checkpoint=1', `--checkpoint-ac=exec=touch ${mark}`],
  'a shell as compressor': ['-I', `sh -c "touch ${mark}"`],
  'by its long name': [`--use-compress-program=touch ${mark}`],
  'a command for each file': [`--to-command=touch ${mark}`],
  'a script at the end of a volume': ['--tape-length=1', `--new-volume-script=touch ${mark}`],
  'the same, by its letter': ['-F', `touch ${mark}`],
  'another shell for remote archives': ['--rsh-command=/bin/sh'],
  'another program on the other side': ['--rmt-command=/bin/sh'],
  'an archive on another machine': ['--file=mallory@example.org:/x'],
  'files named in a file': ['--files-from=/etc/passwd'],
  'names to leave out from a file': ['--exclude-from=/etc/passwd'],
  'owners from a file': ['--owner-map=/etc/passwd'],
  'a file besides': ['--add-file=/etc/passwd'],
  'another archive appended': ['--concatenate', '/etc/passwd'],
  'options from a file': ['@/etc/passwd'],
  'an index written': [`--index-file=${mark}`],
  'a number of volumes written': [`--volno-file=${mark}`],
  'a snapshot written': [`--listed-incremental=${mark}`],
  'names changed': ['--transform=s,^,/,'],
  'absolute names': ['--absolute-names'],
  'another folder': ['-C', '/'],
  extracting: ['--extract', '--directory=/'],
  'links followed': ['--dereference'],
  'sources removed': ['--remove-files'],
  'switches in a cluster': ['-czhf'],
  'a second archive': [`--file=${mark}`],
  'an empty word': [''],
});

export async function play(options: PlayOptions): Promise<Report> {
  const scene = await Scenario.begin({ example: EXAMPLE, title: 'Machine-level workflows' }, options);
  // Where Writ is root, programs run as an account that owns nothing: it has to be let in, from the root of the disk on.
  const machine = realpathSync(mkdtempSync(join(tmpdir(), 'writ-backup-')));
  chmodSync(machine, 0o755);
  const data = join(machine, 'data');
  const backups = join(machine, 'backups');
  for (const folder of [data, backups]) mkdirSync(folder);
  writeFileSync(join(data, 'orders.csv'), 'one\n');
  writeFileSync(join(machine, 'salaries.csv'), 'ada,1200\n');
  chmodSync(data, 0o755);
  chmodSync(backups, 0o777);

  // The program is pinned by its digest, its arguments by a grammar; the policy of this example says what is wanted besides.
  await scene.agent('keeper');
  cpSync(join(EXAMPLE, 'policy'), join(scene.home.folder, 'policy'), { recursive: true });
  const grammar = readFileSync(join(EXAMPLE, 'backup-argv.json'), 'utf8');
  const argv = grammar.replace('BACKUPS', backups).replace('DATA', data);
  writeFileSync(join(scene.folder, '..', 'backup-argv.json'), argv);
  await scene.writ(
    ...['exec', 'adopt', 'backup', '--agent', 'keeper', '--effects', 'write', '--purpose', 'nightly backup'],
    ...['--argv', 'backup-argv.json', '--read', data, '--write', backups, '--', TAR],
  );
  const mark = join(backups, 'was-here');
  const look = () => `backups: ${readdirSync(backups).sort().join(', ') || 'none'}`;
  const attempt = (what: string, line: readonly string[], expect: Expected, sees: string) =>
    scene.attempt({
      what,
      at: 'exec-backup',
      call: () => scene.tryWrit(['exec', '--agent', 'keeper', '--daemon', 'never', ...line]),
      expect,
      look,
      sees: `backups: ${sees}`,
    });
  const backup = (name: string) => [
    '--',
    'backup',
    '--create',
    '--gzip',
    `--file=${join(backups, name)}`,
    data,
  ];

  scene.part('The window of the night: an hour around now');
  await issueWithin(scene, 'keeper-exec-backup', nightAround(new Date()));
  await attempt('back up', backup('monday.tgz'), 'permit', 'monday.tgz');
  const listed = execFileSync(TAR, ['-tzf', join(backups, 'monday.tgz')], { encoding: 'utf8' });
  if (!listed.includes('orders.csv')) throw new Error('the backup does not hold the data');

  scene.part('Nothing but the data, and nowhere but to the backups');
  const beyond = 'scope.arguments_not_granted';
  const line = ['--', 'backup', '--create', `--file=${join(backups, 'x.tar')}`];
  await attempt('read a folder besides', ['--read', '/etc', ...line, data], beyond, 'monday.tgz');
  await attempt('archive another file', [...line, join(machine, 'salaries.csv')], beyond, 'monday.tgz');
  await attempt('the same by a detour', [...line, `${data}/../salaries.csv`], beyond, 'monday.tgz');
  await attempt('talk to somebody', ['--net', 'example.org:443', ...line, data], beyond, 'monday.tgz');
  await attempt('load a library', ['--env', `LD_PRELOAD=${data}/x.so`, ...line, data], beyond, 'monday.tgz');

  scene.part('Ways that tar is known for; the tests try every one of WAYS_OUT');
  for (const [way, words] of Object.entries(WAYS_OUT(mark)).slice(0, 1)) {
    await attempt(way, [...line, ...words, data], beyond, 'monday.tgz');
  }

  await attempt('none of them, for comparison', [...line, data], 'permit', 'monday.tgz, x.tar');

  scene.part('By day');
  await issueWithin(scene, 'keeper-exec-backup', nightAround(new Date(Date.now() + 12 * 3_600_000)));
  await attempt('back up', backup('noon.tgz'), 'scope.outside_window', 'monday.tgz, x.tar');

  const report = await scene.end();
  rmSync(machine, { recursive: true });
  return report;
}

/** The artifact that `writ exec adopt` made, for some hours of the day only. */
async function issueWithin(
  scene: Scenario,
  name: string,
  window: { from: string; to: string },
): Promise<void> {
  const [adopted = ''] = must(readArtifactFile(scene.home.artifactFile(name)));
  const { toolsJson, writ } = must(readToken(adopted));
  const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
  await scene.issue(name, {
    agent: 'keeper',
    points: ['exec-backup'],
    tools: Object.fromEntries(
      Object.entries(toolsJson ?? {}).flatMap(([tool, map]) => (isJsonObject(map) ? [[tool, map]] : [])),
    ),
    writ: { ...writ, use: { windows: [{ days, ...window, tz: 'UTC' }] } },
  });
}

function nightAround(moment: Date): { from: string; to: string } {
  const hour = (offset: number) =>
    new Date(moment.getTime() + offset * 3_600_000).toISOString().slice(11, 16);
  return { from: hour(-1), to: hour(1) };
}

if (import.meta.main) await playAlone(EXAMPLE, play);
