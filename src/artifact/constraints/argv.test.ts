import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { checkConstraint, parseConstraint } from './index.ts';

function accepts(members: JsonObject, value: JsonValue): boolean {
  const constraint = parseConstraint({ constraint_type: 'argv', ...members });
  if (isDenial(constraint)) throw new Error(constraint.detail);
  return checkConstraint(constraint, value);
}

const beneathSrv = { constraint_type: 'path_containment', root: '/srv' };
const anything = { constraint_type: 'wildcard' };

const gitLog: JsonObject = {
  command: ['git', 'log'],
  flags: {
    '--oneline': {},
    '-n': { value: 'integer', constraint: { constraint_type: 'range', min: 1, max: 50 } },
    '--author': { value: 'string', repeatable: true },
    '--since': { value: 'string' },
  },
  rest: beneathSrv,
};

describe('argv', () => {
  it.each<readonly string[]>([
    ['git', 'log'],
    ['git', 'log', '--oneline', '-n', '5', '/srv/a', '/srv/b'],
    ['git', 'log', '--author=a b', '--author', 'c', '--since=-1 week'],
    ['git', 'log', '--since', ''],
    ['git', 'log', '--since='],
    ['git', 'log', '--since', '-'],
    ['git', 'log', '--author=a=b'],
  ])('accepts %j', (...argv) => {
    expect(accepts(gitLog, argv)).toBe(true);
  });

  it.each<JsonValue[]>([
    [[]],
    [['git']],
    [['git', 'push']],
    [['log', 'git']],
    [['git', 'log', '--output=/etc/passwd']],
    [['git', 'log', '--output', '/srv/a']],
    [['git', 'log', '--onelin']],
    [['git', 'log', '--oneline=yes']],
    [['git', 'log', '--Oneline']],
    [['git', 'log', '-oneline']],
    [['git', 'log', '--oneline', '--oneline']],
    [['git', 'log', '-n5']],
    [['git', 'log', '-n=5']],
    [['git', 'log', '-n']],
    [['git', 'log', '-n', '51']],
    [['git', 'log', '-n', '05']],
    [['git', 'log', '-n', '5.0']],
    [['git', 'log', '-n', '0x5']],
    [['git', 'log', '-n', ' 5']],
    [['git', 'log', '-n', '٥']],
    [['git', 'log', '-n', '1', '-n', '1']],
    [['git', 'log', '--since', '--output=/etc/passwd']],
    [['git', 'log', '--since', '--']],
    [['git', 'log', '--author']],
    [['git', 'log', '@/srv/flags']],
    [['git', 'log', '--author', '@/etc/passwd']],
    [['git', 'log', '--author=@/etc/passwd']],
    [['git', 'log', '/etc/passwd']],
    [['git', 'log', '/srv/a', '--oneline']],
    [['git', 'log', '--']],
    [['git', 'log', '--', '/srv/a']],
    [['git', 'log', '-']],
    [['git', 'log', '---']],
    [['git', 'log', '']],
    [['git', 'log', '—oneline']],
    [['git', 'log', '--since=a\0--output=b']],
    [['git', 'log', 1]],
    [['git', 'log', null]],
    [['git', 'log', ['--oneline']]],
    ['git log'],
    [{ 0: 'git', 1: 'log', length: 2 }],
    [null],
  ])('refuses %j', (argv) => {
    expect(accepts(gitLog, argv)).toBe(false);
  });

  it('refuses every operand and flag where it names none', () => {
    expect(accepts({}, [])).toBe(true);
    for (const element of ['a', '', '-', '-v', '--', '@a'])
      expect(accepts({}, [element]), element).toBe(false);
  });

  it('requires what is required', () => {
    const grammar = { flags: { '--dry-run': { required: true } }, positionals: [beneathSrv, anything] };
    expect(accepts(grammar, ['--dry-run', '/srv/a', 'x'])).toBe(true);
    expect(accepts(grammar, ['/srv/a', 'x'])).toBe(false);
    expect(accepts(grammar, ['--dry-run', '/srv/a'])).toBe(false);
    expect(accepts(grammar, ['--dry-run', 'x', '/srv/a'])).toBe(false);
    expect(accepts(grammar, ['--dry-run', '/srv/a', 'x', 'y'])).toBe(false);
  });

  it('ends the flags at `--` where declared, and still checks what follows', () => {
    const grammar = {
      flags: { '-v': {} },
      rest: { constraint_type: 'string_pattern', pattern: '-*' },
      terminator: true,
    };
    expect(accepts(grammar, ['-v', '--', '-rf', '--'])).toBe(true);
    expect(accepts(grammar, ['--', 'rf'])).toBe(false);
    expect(
      accepts({ flags: { '-v': { required: true } }, rest: anything, terminator: true }, ['--', '-v']),
    ).toBe(false);
    // To some programs this `--` is an operand, to others it ends the flags.
    expect(accepts({ rest: anything, terminator: true }, ['a', '--', '-rf'])).toBe(false);
    expect(accepts({ rest: anything, terminator: true, interleaved: true }, ['a', '--', '-rf'])).toBe(true);
  });

  it('allows flags after operands and response files only where declared', () => {
    const grammar = { flags: { '-v': {} }, rest: anything };
    expect(accepts({ ...grammar, interleaved: true }, ['a', '-v', 'b'])).toBe(true);
    expect(accepts(grammar, ['a', '-v', 'b'])).toBe(false);
    expect(accepts({ ...grammar, response_files: true }, ['@a'])).toBe(true);
    expect(accepts({ ...grammar, terminator: true }, ['--', '@a'])).toBe(false);
  });

  it('bounds what it reads', () => {
    expect(accepts({ rest: anything }, new Array(1025).fill('a'))).toBe(false);
    expect(accepts({ rest: anything }, ['a'.repeat(32_769)])).toBe(false);
    expect(accepts({ rest: anything }, new Array(1024).fill('a'))).toBe(true);
  });

  it('does not take inherited names for flags', () => {
    expect(accepts({ flags: {} }, ['--constructor'])).toBe(false);
  });
});
