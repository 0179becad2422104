import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from './command-table.ts';
import { makeFolder, type Ran, writ } from './run.test-support.ts';

const STACK = /\n\s+at |node:internal|\.ts:\d+/;
const ESCAPE = '\u001b';

let folder = '';
let remove = () => {};

beforeAll(() => {
  ({ folder, remove } = makeFolder());
});
afterAll(() => remove());

function leaves(): string[][] {
  return Object.entries(COMMANDS).flatMap(([name, entry]) =>
    'load' in entry ? [[name]] : Object.keys(entry.commands).map((child) => [name, child]),
  );
}

function expectClean({ out, err }: Ran): void {
  expect(out + err).not.toMatch(STACK);
  expect(out + err).not.toContain(ESCAPE);
}

describe('usage', () => {
  it('shows help, to stdout and with 0 when it is asked for', async () => {
    const asked = await writ({ cwd: folder }, '--help');
    expect(asked.code).toBe(0);
    expect(asked.out).toContain('Start here:');
    const needed = await writ({ cwd: folder });
    expect(needed).toMatchObject({ code: 2, out: '' });
    expect(needed.err).toContain('Usage: writ');
  });

  it('teaches every command with a description and an example', async () => {
    for (const path of leaves()) {
      const helped = await writ({ cwd: folder }, ...path, '--help');
      expect(helped.code, path.join(' ')).toBe(0);
      expect(helped.out).toMatch(new RegExp(`Usage: writ ${path.join(' ')} `));
      expect(helped.out).toContain('Examples:');
      expect(helped.out).toContain(`$ writ ${path.join(' ')}`);
      expect(await writ({ cwd: folder }, 'help', ...path)).toMatchObject({ out: helped.out });
    }
  });

  it('suggests the nearest command and option', async () => {
    const command = await writ({ cwd: folder }, 'artifact', 'verifi');
    expect(command).toMatchObject({ code: 2, out: '' });
    expect(command.err).toContain("unknown command 'verifi'");
    expect(command.err).toContain('Did you mean verify?');
    const option = await writ({ cwd: folder }, 'log', 'show', '--tial', '3');
    expect(option.code).toBe(2);
    expect(option.err).toContain('Did you mean --tail?');
    expectClean(command);
    expectClean(option);
  });

  it('tells errors as JSON when asked for JSON', async () => {
    for (const argv of [
      ['nonsense', '--json'],
      ['--json', 'receipt', 'verify'],
      ['key', 'new', '--json'],
      ['log', 'show', '--json', '--wrong'],
    ]) {
      const ran = await writ({ cwd: folder }, ...argv);
      expect(ran.code, argv.join(' ')).toBe(2);
      expect(ran.err).toBe('');
      expect(ran.json).toEqual({
        error: { code: 'usage', message: expect.any(String), hint: expect.any(String) },
      });
    }
  });

  it('prints the version', async () => {
    expect((await writ({ cwd: folder }, '--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('without a trust domain', () => {
  const commands = [
    ['log', 'show'],
    ['log', 'verify'],
    ['policy', 'show'],
    ['receipt', 'show', 'last'],
    ['lineage', 'show'],
    ['agent', 'enroll', 'a', '--new'],
    ['artifact', 'issue', '--agent', 'a', '--tool', 'mcp://fs/tools/x'],
    ['artifact', 'revoke', '--token', 'x', '--reason', 'y'],
  ];

  it('says how to get one, and exits with 1', async () => {
    for (const argv of commands) {
      const ran = await writ({ cwd: folder }, ...argv);
      expect(ran, argv.join(' ')).toMatchObject({ code: 1, out: '' });
      expect(ran.err).toContain('writ init');
      expectClean(ran);
      const json = await writ({ cwd: folder }, ...argv, '--json');
      expect(json.json.error).toMatchObject({ code: 'home.missing' });
    }
  });

  it('says so of a named folder that holds none, or nothing readable', async () => {
    const ran = await writ({ cwd: folder }, '--home', '/dev/null', 'log', 'show', '--json');
    expect(ran.code).toBe(1);
    expect(ran.json.error).toMatchObject({ code: 'request.malformed' });
  });

  it('keeps stdout for MCP in writ mcp, whatever goes wrong', async () => {
    for (const argv of [
      ['mcp', '--json'],
      ['mcp', '--name', 'fs', '--json', '--', 'node'],
      ['mcp', '--name', '../fs', '--', 'node'],
      ['mcp', '--name', 'fs'],
    ]) {
      const ran = await writ({ cwd: folder }, ...argv);
      expect(ran.out, argv.join(' ')).toBe('');
      expect(ran.err).not.toBe('');
      expect(ran.code).toBeGreaterThan(0);
      expectClean(ran);
    }
    const ran = await writ({ cwd: folder }, 'mcp', '--name', 'fs', '--', 'npx', 'a server');
    expect(ran.err).toContain("writ init --server fs -- npx 'a server'");
  });
});

describe('on a terminal', () => {
  it('uses colours, unless NO_COLOR is set', async () => {
    const coloured = await writ({ cwd: folder, terminal: true }, 'log', 'show');
    expect(coloured.err).toContain(ESCAPE);
    const plain = await writ({ cwd: folder, terminal: true, colours: false }, 'log', 'show');
    expect(plain.err).toContain('error');
    expect(plain.err).not.toContain(ESCAPE);
  });
});
