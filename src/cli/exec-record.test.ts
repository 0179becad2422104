import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '../../examples/support/program.ts';
import { testConfiner } from '../enforce/exec/confined.test-support.ts';
import type { ExecProposal } from './exec-proposal.ts';
import { makeFolder, writ } from './run.test-support.ts';

describe.skipIf(testConfiner() === undefined)('writ exec --record', () => {
  const { folder, remove } = makeFolder();
  const work = join(folder, 'work');
  // Where people have it: within what they record with.
  const home = join(work, '.writ');
  const temporary = join(folder, 'tmp');
  const tool = join(folder, 'tool.sh');
  const inherited = process.env.TMPDIR;
  const run = (...line: readonly string[]) => writ({ cwd: work }, '--home', home, ...line);
  const record = (...line: readonly string[]) => run('--json', 'exec', '--record', ...line);
  const contents = (): string => readFileSync(join(work, 'log'), 'utf8');
  /** Of every file of the real trust domain. */
  const bytesOfHome = (): ReadonlyMap<string, string> =>
    new Map(
      readdirSync(home, { recursive: true, encoding: 'utf8' })
        .filter((name) => statSync(join(home, name)).isFile())
        .map((name) => [name, readFileSync(join(home, name), 'base64')]),
    );
  let requests = 0;
  const server = createServer((_request, response) => {
    requests += 1;
    response.end('answer\n');
  });
  let origin = '';

  beforeAll(async () => {
    chmodSync(folder, 0o755);
    for (const path of [work, temporary, join(work, 'inner')]) mkdirSync(path);
    process.env.TMPDIR = temporary;
    writeFileSync(join(work, 'data'), 'some data\n');
    writeFileSync(join(work, 'other'), 'other data\n');
    writeFileSync(join(work, 'log'), 'before\n');
    chmodSync(join(work, 'log'), 0o666);
    symlinkSync('../data', join(work, 'inner/link'));
    writeFileSync(tool, '#!/bin/sh\ncat "$1"; cat .writ/marker; echo ran >> log; exit 3\n', { mode: 0o755 });
    await run('init');
    // What keeps it secret must be that it is not there, not its mode.
    writeFileSync(join(home, 'marker'), 'secret of the domain\n', { mode: 0o644 });
    chmodSync(home, 0o755);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    origin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => {
    server.close();
    if (inherited === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = inherited;
    remove();
  });

  it('changes nothing, shows no secret, and proposes what permits this call for real, and no other', async () => {
    const before = bytesOfHome();
    expect(before.has('governance/log.sqlite')).toBe(true);
    const ran = await record('--write', work, '--net', origin, '--', tool, 'data');
    expect(ran.code).toBe(3);
    expect(ran.err).toContain('some data\n');
    expect(ran.err).not.toContain('secret of the domain');
    expect(contents()).toBe('before\n');
    expect(readdirSync(temporary)).toEqual([]);
    expect(bytesOfHome()).toEqual(before);
    const proposal = ran.json as unknown as ExecProposal;
    expect(proposal).toMatchObject({
      name: 'tool.sh',
      exitCode: 3,
      effects: 'destructive',
      cwd: work,
      used: {
        read: [{ path: join(work, 'data') }],
        write: [{ path: join(work, 'log') }],
        network: [],
      },
      unused: { read: [], write: [], network: [origin] },
      limits: { memoryBytes: { asked: 2 ** 30 }, networkBytes: { proposed: 0 } },
      asked: 'permit',
    });
    expect(proposal.neighbours.length).toBeGreaterThan(20);
    expect(proposal.neighbours.filter(({ opened }) => opened)).toEqual([]);
    expect(proposal.notes).toContain(`${home} is a trust domain, and was not there for it`);

    const { adopt, issue, call } = proposal.commands;
    const tools = join(folder, 'tools.json');
    writeFileSync(tools, JSON.stringify(proposal.artifact.tools));
    const real = (line: readonly string[]) => writ({ cwd: work }, ...line.slice(1));
    expect(await real(adopt)).toMatchObject({ code: 0, err: '' });
    // Pinned alone, it is granted nothing.
    expect(existsSync(join(home, 'artifacts'))).toBe(false);
    expect(await real(issue.map((word) => (word === '/dev/stdin' ? tools : word)))).toMatchObject({
      code: 0,
    });
    const at = call.indexOf('--');
    const asking = (...options: readonly string[]) => [...call.slice(0, at), ...options, ...call.slice(at)];
    for (const other of [
      [...call, 'other'],
      asking('--read', join(work, 'other')),
      asking('--net', origin),
    ]) {
      const denied = await real(other);
      expect(denied).toMatchObject({ code: 126, out: '' });
      expect(denied.err).toContain('(scope.arguments_not_granted)');
    }
    expect(contents()).toBe('before\n');
    const permitted = await real(call);
    expect(permitted).toMatchObject({ code: 3, out: 'some data\n' });
    expect(contents()).toBe('before\nran\n');
    writeFileSync(join(work, 'log'), 'before\n');
  });

  it('proposes the host that was reached, and what a folder or a link takes; text goes to stderr, JSON to --out', async () => {
    const line = `/usr/bin/curl -s http://${origin}/; ls inner >/dev/null; touch made; cat < data`;
    const options = ['--write', work, '--net', origin, '--net', 'unused.example:443', '--cwd', work];
    const ran = await run('exec', '--record', ...options, '-o', 'proposal.json', '--', '/bin/sh', '-c', line);
    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining('answer\n') });
    expect([requests, existsSync(join(work, 'made'))]).toEqual([1, false]);
    const proposal: ExecProposal = JSON.parse(readFileSync(join(work, 'proposal.json'), 'utf8'));
    expect(proposal.used.network).toMatchObject([{ to: origin, allowed: 1 }]);
    expect(proposal.unused.network).toEqual(['unused.example:443']);
    expect(ran.err).toContain('really sent');
    expect(ran.err).toContain('no file of yours was changed');
  });

  it('runs as the example of the help has it', async () => {
    const example = /\$ writ (exec --record .*)/.exec((await writ({ cwd: work }, 'exec', '--help')).out)?.[1];
    const project = join(folder, 'project');
    for (const path of ['', 'src', 'out']) mkdirSync(join(project, path));
    writeFileSync(join(project, 'build.sh'), '#!/bin/sh\necho built\n', { mode: 0o755 });
    const ran = await writ({ cwd: project }, '--home', home, ...(example ?? '').split(' '));
    expect(ran).toMatchObject({ code: 0, out: 'built\n' });
  });

  it('gives commands that a shell reads word for word', async () => {
    const argument = `it's "$HOME" \`id\`\n; <<TOOLS`;
    const ran = await record(
      '--read',
      join(work, 'inner'),
      '--',
      '/bin/cat',
      join(work, 'inner/link'),
      argument,
    );
    const { script, commands, artifact, used } = ran.json as unknown as ExecProposal;
    expect(used.read).toMatchObject([{ path: join(work, 'inner') }]);
    const lines = `writ() { printf '%s\\0' "$@"; case "$*" in *stdin*) cat; printf '\\0';; esac; }\n${script.join('\n')}\n`;
    const words = execFileSync('/bin/sh', ['-s'], { input: lines, encoding: 'utf8' }).split('\0');
    const { adopt, issue, call } = commands;
    const expected = [...adopt.slice(1), ...issue.slice(1)];
    expect(words.slice(0, expected.length)).toEqual(expected);
    expect(JSON.parse(words[expected.length] ?? '')).toEqual(artifact.tools);
    expect(words.slice(expected.length + 1, -1)).toEqual(call.slice(1));
  });

  it('shows no commands that hold what nobody sees', async () => {
    for (const unseen of ['\u3164', '\u{e0100}', '\u00a0']) {
      const { err } = await run('exec', '--record', '--', '/bin/echo', `a${unseen}b`);
      expect(err).toContain('the commands hold what a terminal does not show');
      expect(err).not.toContain('exec adopt');
    }
  });

  it('leaves nothing behind where it fails, and where it is interrupted', async () => {
    const missing = await record('--read', join(work, 'absent'), '--', '/bin/cat');
    expect(missing).toMatchObject({ code: 126, out: '' });
    const refused = await record('--read', join(home, 'keys'), '--', '/bin/cat', join(home, 'marker'));
    expect(refused).toMatchObject({ code: 126, out: '' });
    expect(refused.err).toContain('lies in a trust domain');
    expect(await record('--explain', '--', '/bin/cat')).toMatchObject({ code: 125 });
    // Forgotten, --record must not be what keeps a program from being run for real.
    expect(await run('exec', '--out', 'x.json', '--', '/bin/cat')).toMatchObject({ code: 125 });
    expect(readdirSync(temporary)).toEqual([]);
    const child = spawn(
      process.execPath,
      [
        PROGRAM,
        '--home',
        home,
        'exec',
        '--record',
        '--read',
        join(work, 'data'),
        '--',
        '/bin/sh',
        '-c',
        'echo up; exec sleep 60',
      ],
      { cwd: work, env: { ...process.env, TMPDIR: temporary }, stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const ended = new Promise((exited) => child.once('exit', exited));
    await new Promise((said) => child.stdout.once('data', said));
    expect(readdirSync(temporary).filter((name) => name.startsWith('writ-record-'))).toHaveLength(1);
    child.kill('SIGINT');
    expect(await ended).not.toBe(0);
    expect(readdirSync(temporary)).toEqual([]);
    rmSync(join(work, 'proposal.json'), { force: true });
  });

  it('leaves nothing behind where nobody reads what the program says', async () => {
    const line = 'echo up; while sleep 0.1; do echo on; done';
    const child = spawn(
      process.execPath,
      [PROGRAM, '--json', 'exec', '--record', '--read', join(work, 'data'), '--', '/bin/sh', '-c', line],
      { cwd: folder, env: { ...process.env, TMPDIR: temporary }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const ended = new Promise((exited) => child.once('exit', exited));
    await new Promise((said) => child.stderr.once('data', said));
    expect(readdirSync(temporary).filter((name) => name.startsWith('writ-record-'))).toHaveLength(1);
    child.stderr.destroy();
    expect(await ended).not.toBe(0);
    expect(readdirSync(temporary)).toEqual([]);
  });
});
