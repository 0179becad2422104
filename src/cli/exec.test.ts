import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must, nowSeconds } from '../../test/support/trust-domain.ts';
import { readToken } from '../artifact/index.ts';
import { digestOf } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { testConfiner } from '../enforce/exec/confined.test-support.ts';
import type { Component } from '../environment/index.ts';
import { environmentFileText, issueArtifact, openHome, readArtifactFile } from '../governor/index.ts';
import {
  type DecisionReceipt,
  type OutcomeReceipt,
  parseDecisionReceipt,
  parseOutcomeReceipt,
} from '../receipt/index.ts';
import { openSqliteLogReader } from '../storage/index.ts';
import { makeFolder, writ } from './run.test-support.ts';

describe.skipIf(testConfiner() === undefined)('writ exec', () => {
  const { folder, remove } = makeFolder();
  const home = join(folder, 'domain', '.writ');
  const work = join(folder, 'work');
  const tool = join(folder, 'tool.sh');
  const run = (...line: readonly string[]) => writ({ cwd: work }, '--home', home, ...line);
  const exec = (...line: readonly string[]) => run('exec', '--daemon', 'never', ...line);

  beforeAll(async () => {
    chmodSync(folder, 0o755);
    mkdirSync(join(work, 'out'), { recursive: true });
    chmodSync(join(work, 'out'), 0o777);
    writeFileSync(join(work, 'data'), 'some data\n');
    writeFileSync(tool, '#!/bin/sh\necho "ran $*"; cat "$2"; echo written > out/file; exit 3\n', {
      mode: 0o755,
    });
    writeFileSync(
      join(folder, 'argv.json'),
      JSON.stringify({
        flags: {
          '--copy': { value: 'string', constraint: { constraint_type: 'path_containment', root: work } },
        },
      }),
    );
    await run('init');
    const adopted = await run(
      ...['exec', 'adopt', 'tool', '--effects', 'read', '--argv', join(folder, 'argv.json')],
      ...['--read', join(work, 'data'), '--write', join(work, 'out'), '--', tool],
    );
    expect(adopted.code).toBe(0);
    await run(
      'exec',
      'adopt',
      'shell',
      '--effects',
      'read',
      '--any-arguments',
      '--write',
      join(work, 'out'),
      '--',
      '/bin/sh',
    );
  });

  afterAll(remove);

  function entries(name: string): {
    decision: DecisionReceipt | undefined;
    outcome: OutcomeReceipt | undefined;
  } {
    const reader = openSqliteLogReader(join(home, 'execution', `exec-${name}`));
    const all = reader.read(0, reader.head().size);
    reader.close();
    const decision = all
      .map(parseDecisionReceipt)
      .flatMap((entry) => (isDenial(entry) ? [] : [entry]))
      .at(-1);
    const outcome = all
      .map(parseOutcomeReceipt)
      .flatMap((entry) => (isDenial(entry) || entry.id !== decision?.id ? [] : [entry]))
      .at(-1);
    return { decision, outcome };
  }

  it('runs what is granted, and passes on what it says and how it ends; both stand in the log', async () => {
    const ran = await exec('--cwd', work, '--', 'tool', '--copy', join(work, 'data'));
    expect(ran.err).toBe('');
    expect(ran).toMatchObject({ code: 3, out: `ran --copy ${join(work, 'data')}\nsome data\n` });
    expect(readFileSync(join(work, 'out/file'), 'utf8')).toBe('written\n');
    const { decision, outcome } = entries('tool');
    expect(decision).toMatchObject({ verdict: 'permit', tool: 'exec://tool/run' });
    expect(outcome).toMatchObject({ status: 'failed', process: { exitCode: 3 } });
  });

  it('denies what is not granted with 126 and the code, and nothing runs', async () => {
    rmSync(join(work, 'out/file'), { force: true });
    const ran = await exec('--cwd', work, '--', 'tool', '--delete', '/');
    expect(ran).toMatchObject({ code: 126, out: '' });
    expect(ran.err).toContain('(scope.arguments_not_granted)');
    expect(existsSync(join(work, 'out/file'))).toBe(false);
    expect(entries('tool').decision).toMatchObject({ verdict: 'deny' });
    const unadopted = await exec('--', '/bin/cat', '/etc/passwd');
    expect(unadopted).toMatchObject({ code: 126, out: '' });
    expect(unadopted.err).toContain('adopt it first');
  });

  it('says what to change where a program lies where others could put another', async () => {
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o777);
    const program = join(shared, 'program.sh');
    writeFileSync(program, '#!/bin/sh\necho ran\n', { mode: 0o755 });
    const adopted = await run(
      ...['exec', 'adopt', 'shared', '--effects', 'read', '--any-arguments', '--read', shared],
      ...['--max-uses', '1', '--reference', 'OPS-7', '--window', 'sun-sat 00:00-24:00 UTC', '--', program],
    );
    expect(adopted.err).toContain(`others can change ${shared}:`);
    const ran = await exec('--', 'shared');
    expect(ran).toMatchObject({ code: 126, out: '' });
    expect(ran.err).toContain('(scope.arguments_not_granted)');
    expect(ran.err).toContain(`${shared} can be changed by others`);
    chmodSync(shared, 0o755);
    expect(await exec('--', 'shared')).toMatchObject({ code: 0, out: 'ran\n' });
    const again = await exec('--', 'shared');
    expect(again).toMatchObject({ code: 126, out: '' });
    expect(again.err).toContain('scope.use_exhausted');
  });

  it('says 127 where there is no such program, and 125 where it was called wrongly', async () => {
    expect(await exec('--', 'absent-program')).toMatchObject({ code: 127, out: '' });
    expect(await exec('--time', 'long', '--', 'tool')).toMatchObject({ code: 125, out: '' });
  });

  it('denies a program whose bytes are not those that were adopted', async () => {
    const before = readFileSync(tool);
    writeFileSync(tool, '#!/bin/sh\necho evil > out/evil\n');
    const ran = await exec('--cwd', work, '--', 'tool');
    writeFileSync(tool, before);
    expect(ran).toMatchObject({ code: 126, out: '' });
    expect(ran.err).toContain('is not the one that was adopted');
    expect(existsSync(join(work, 'out/evil'))).toBe(false);
  });

  it('relays standard input', async () => {
    const ran = await writ(
      { cwd: work, stdin: 'to the program' },
      ...['--home', home, 'exec', '--daemon', 'never', '--', 'shell', '-c', 'cat; echo done >&2'],
    );
    expect([ran.code, ran.out, ran.err]).toEqual([0, 'to the program', 'done\n']);
  });

  it('runs a line of shell command by command, and refuses whole what it does not understand', async () => {
    const shell = (line: string) => run('exec', 'shell', '--daemon', 'never', '-lc', line);
    rmSync(join(work, 'out/by-line'), { force: true });
    const ran = await shell(
      `cd ${work}/out && shell -c 'echo "$1 said"; echo err >&2' x one 2>/dev/null | shell -c 'cat; touch by-line' || shell -c 'echo not reached'`,
    );
    expect([ran.code, ran.out, ran.err]).toEqual([0, 'one said\n', '']);
    expect(existsSync(join(work, 'out/by-line'))).toBe(true);
    rmSync(join(work, 'out/by-line'));
    for (const line of [
      `shell -c 'touch by-line'; cat $(id)`,
      `shell -c 'touch by-line' > ${work}/out/by-line`,
    ]) {
      const refused = await shell(`cd ${work}/out; ${line}`);
      expect(refused).toMatchObject({ code: 2, out: '' });
      expect(refused.err).toContain('nothing was run');
    }
    expect(existsSync(join(work, 'out/by-line'))).toBe(false);
    // After "--" it is a program, not what "writ exec" calls so itself.
    expect(await shell('adopt evil --any-arguments -- /bin/sh')).toMatchObject({ code: 127 });
    expect(existsSync(join(home, 'programs/evil.json'))).toBe(false);
    const denied = await shell(`/bin/touch ${work}/out/by-line`);
    expect(denied).toMatchObject({ code: 126 });
    expect(existsSync(join(work, 'out/by-line'))).toBe(false);
  });

  it('kills a program whose environment is no longer the one its artifact is bound to', async () => {
    mkdirSync(join(work, '.git'));
    rmSync(join(work, 'out/drift'), { force: true });
    const here = must(openHome(home));
    const measured = await run('env', 'measure', '--measure', 'repository', '--json');
    const components = (measured.json.components as unknown as Component[]).filter(
      ({ kind }) => kind === 'worktree',
    );
    const bound = components.map(({ kind, name, digest }) => ({ kind, name, digest }));
    writeFileSync(here.environmentFile, environmentFileText({ measure: ['repository'] }));
    const file = here.artifactFile('agent-exec-shell');
    const [compact = ''] = must(readArtifactFile(file));
    const { holder, audiences = [], writ: claim } = must(readToken(compact));
    const payload = JSON.parse(Buffer.from(compact.split('.')[1] ?? '', 'base64url').toString());
    const { tools } = payload.authorization_details[0];
    const atSeconds = nowSeconds();
    const by = { actor: 'test', atSeconds };
    const times = { iatSeconds: atSeconds, expSeconds: atSeconds + 600 };
    const grant = {
      tools,
      audiences,
      ...times,
      writ: { ...claim, environment: { components: [...(claim.environment?.components ?? []), ...bound] } },
    };
    const issued = must(await issueArtifact(here, { holder, ...grant }, by));
    const artifact = join(folder, 'bound.json');
    writeFileSync(artifact, JSON.stringify({ aat_chain: [issued.compact] }));
    const line = ['--artifact', artifact, '--', 'shell', '-c', 'echo x > out/drift; exec sleep 60'];
    const ran = await exec('--cwd', work, ...line);
    expect(ran.err).toContain('environment.mismatch');
    expect(existsSync(join(work, 'out/drift'))).toBe(true);
    expect(entries('shell').outcome).toMatchObject({ status: 'terminated' });
    expect((await exec('--cwd', work, ...line)).code).toBe(126);
    rmSync(here.environmentFile);
  });

  it('gives a program only the standard input that was granted, byte for byte', async () => {
    const granted = digestOf(Buffer.from('the plan'));
    const adopted = await run(
      ...['exec', 'adopt', 'apply', '--effects', 'read', '--any-arguments', '--stdin', granted],
      ...['--write', join(work, 'out'), '--', '/bin/cat'],
    );
    expect(adopted.code).toBe(0);
    const apply = (stdin: string) =>
      writ({ cwd: work, stdin }, '--home', home, 'exec', '--daemon', 'never', '--', 'apply', '/dev/stdin');
    expect(await apply('the plan')).toMatchObject({ code: 0, out: 'the plan' });
    expect(await apply('another plan')).toMatchObject({ code: 126, out: '' });
    expect(entries('apply').decision).toMatchObject({ verdict: 'deny', code: 'scope.arguments_not_granted' });
  });
});
