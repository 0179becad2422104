import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseShellLine, type ShellLine } from './shell-line.ts';

const wordsOf = (line: ShellLine) =>
  'problem' in line ? line.problem : line.map(({ commands }) => commands.map(({ words }) => words));

describe('a line of shell', () => {
  it.each([
    ['ls -l /srv', [[['ls', '-l', '/srv']]]],
    [`a 'b c' "d \\" e" f\\ g ''`, [[['a', 'b c', 'd " e', 'f g', '']]]],
    ['a|b && c || d; e\n f', [[['a'], ['b']], [['c']], [['d']], [['e']], [['f']]]],
    [`'$HOME' "\\$x" \\*`, [[['$HOME', '$x', '*']]]],
    ['a >/dev/null 2>&1', [[['a']]]],
    ['a 2 >> /dev/null', [[['a', '2']]]],
    ['X=1 a X=2', [[['a', 'X=2']]]],
    ['', []],
  ])('%s', (text, words) => expect(wordsOf(parseShellLine(text))).toEqual(words));

  it('keeps the order of redirections', () => {
    const both = parseShellLine('a 2>&1 >/dev/null');
    expect(both).toMatchObject([{ commands: [{ stdout: 'nowhere', stderr: 'out' }] }]);
    expect(parseShellLine('a >/dev/null 2>&1')).toMatchObject([
      { commands: [{ stdout: 'nowhere', stderr: 'nowhere' }] },
    ]);
  });

  it.each([
    ...[
      'a $x',
      'a "$x"',
      'a `b`',
      'a "`b`"',
      'a $(b)',
      '(a)',
      'a & b',
      'a &',
      'a > f',
      'a >/dev/nullx',
      'a < f',
    ],
    ...[
      'a << E',
      'a <(b)',
      'a >| f',
      'a >&2',
      'a 3>/dev/null',
      'a *',
      'a ?',
      'a [b]',
      'a ~',
      'X=~ a',
      'a {b,c}',
    ],
    ...[
      'a # b',
      'if a',
      'for x',
      '! a',
      '{ a',
      'a |',
      'a &&',
      '&& a',
      '; a',
      'a ;; b',
      'a |& b',
      "a 'b",
      'a "b',
    ],
    ...[
      'a \\',
      'X=1',
      'eval a',
      'exec a',
      '. a',
      'source a',
      'a\0',
      'a\rb',
      'f() a',
      "''",
      '>/dev/null',
      'a 2>&1x',
    ],
    ...['a >/dev/null/../../etc/passwd', 'a >/dev/null"x"', 'a 2>&12'],
  ])('refuses %j whole', (text) => {
    expect(parseShellLine(`ok; ${text}`)).toHaveProperty('problem');
  });

  it('reads words as sh does, or refuses them', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      ' ',
      "'",
      '"',
      '\\',
      '\\\\',
      '$',
      '*',
      '=',
      '~',
      '#',
      '-',
      '\n',
      ';',
      '!',
    );
    const lines: string[] = [];
    const expected: string[] = [];
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        const line = parseShellLine(`printf '%s|' ${pieces.join('')}`);
        if ('problem' in line || line.length !== 1) return;
        const [only] = line;
        lines.push(`printf '%s|' ${pieces.join('')}`);
        expected.push(
          only?.commands[0]?.words
            .slice(2)
            .map((word) => `${word}|`)
            .join('') || '|',
        );
      }),
      { seed: 7, numRuns: 600 },
    );
    expect(lines.length).toBeGreaterThan(50);
    const out = execFileSync('/bin/sh', ['-c', lines.map((line) => `${line}\necho @@`).join('\n')], {
      encoding: 'utf8',
      cwd: '/usr/share',
    });
    expect(out.split('@@\n').slice(0, -1)).toEqual(expected);
  });
});
