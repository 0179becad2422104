import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { PROGRAM } from '../../examples/support/program.ts';

const main = new URL('./main.ts', import.meta.url).href;

describe('what nobody caught', () => {
  it.each([
    ['an exception', 'setTimeout(() => { throw new TypeError("boom \\u001b[31m"); })'],
    ['a rejection', 'void Promise.reject(new TypeError("boom \\u001b[31m"))'],
  ])('ends the program without a trace: %s', (_what, provoke) => {
    const script = `const { main } = await import(${JSON.stringify(main)}); await main(['--version']); ${provoke};`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toContain('(internal.unexpected)');
    expect(stderr).not.toMatch(/\n\s+at |node:internal/);
    expect(stderr).not.toContain('\u001b');
  });
});

it('whose reader left ends quietly, as other programs do', () => {
  const line = 'set -o pipefail; "$0" "$1" exec --help | true; echo $?';
  const { stdout, stderr } = spawnSync('bash', ['-c', line, process.execPath, PROGRAM], { encoding: 'utf8' });
  expect({ stdout, stderr }).toEqual({ stdout: '141\n', stderr: '' });
});
