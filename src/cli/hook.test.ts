import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '../../examples/support/program.ts';
import { startDaemon } from '../../test/support/daemon-client.ts';
import { must } from '../../test/support/trust-domain.ts';
import { isDenial } from '../denial/index.ts';
import { openWrit, type Writ } from '../enforce/sdk/index.ts';
import { openHome } from '../governor/index.ts';
import {
  type DecisionReceipt,
  type OutcomeReceipt,
  parseDecisionReceipt,
  parseOutcomeReceipt,
} from '../receipt/index.ts';
import type { Daemon } from '../server/daemon/index.ts';
import { openSqliteLogReader } from '../storage/index.ts';
import { makeFolder, writ } from './run.test-support.ts';

/** As Claude Code 2.1 sends it. */
const preToolUse = (tool: string, input: object): string =>
  JSON.stringify({
    session_id: '5c4b27f1-f508-4f10-9426-7781e1276278',
    transcript_path: '/home/ada/.claude/projects/-work/5c4b27f1.jsonl',
    cwd: '/work',
    prompt_id: 'ebc54a6a-1aa5-4eed-a06f-1e5cac170b30',
    permission_mode: 'default',
    effort: { level: 'medium' },
    hook_event_name: 'PreToolUse',
    tool_name: tool,
    tool_input: input,
    tool_use_id: 'toolu_1',
  });

describe('writ hook', () => {
  const { folder, remove } = makeFolder();
  const home = join(folder, 'home', '.writ');
  const project = join(folder, 'project');

  const hook = (stdin: string | Buffer, ...options: readonly string[]) =>
    writ({ cwd: project, stdin }, '--home', home, 'hook', 'claude-code', ...options);

  /** The program itself; with no stdin it has one that never ends. */
  async function inProcess(stdin: string | undefined, ...options: readonly string[]) {
    const child = spawn(process.execPath, [PROGRAM, '--home', home, 'hook', 'claude-code', ...options]);
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      err += String(chunk);
    });
    if (stdin !== undefined) child.stdin.end(stdin);
    const code = await new Promise((resolve) => child.once('close', resolve));
    child.stdin.destroy();
    return { code, out, err };
  }

  beforeAll(async () => {
    mkdirSync(project);
    await writ({ cwd: project }, '--home', home, 'init');
  });

  afterAll(remove);

  function lastDecision(): DecisionReceipt | undefined {
    const reader = openSqliteLogReader(join(home, 'execution', 'claude-code'));
    const entries = reader.read(0, reader.head().size).map(parseDecisionReceipt);
    reader.close();
    return entries.flatMap((entry) => (isDenial(entry) ? [] : [entry])).at(-1);
  }

  it('adopt pins the tools, grants reading below the project, and says what to set', async () => {
    const { json, code } = await writ(
      { cwd: project },
      '--home',
      home,
      '--json',
      'hook',
      'adopt',
      'claude-code',
    );
    expect(code).toBe(0);
    const { artifact } = json as { artifact: { tools: Record<string, object> } };
    expect(Object.keys(artifact.tools)).toEqual([
      'hook://claude-code/Read',
      'hook://claude-code/Glob',
      'hook://claude-code/Grep',
    ]);
    expect(artifact.tools['hook://claude-code/Read']).toMatchObject({
      file_path: { constraint_type: 'path_containment', root: project },
    });
    const { out } = await writ({ cwd: project }, '--home', home, 'hook', 'adopt', 'claude-code');
    expect(out).toContain(`"command": "writ --home ${home} hook claude-code --await-outcome || exit 2"`);
    expect(out).toContain('"onFailure": "block"');
    expect(out).toContain('"PostToolUse"');
    expect(out).toContain('"PostToolUseFailure"');
    expect(out).toContain('unchanged agent-claude-code');
  });

  it('adopt refuses a project that holds the keys', async () => {
    const { code, err } = await writ({ cwd: folder }, '--home', home, 'hook', 'adopt', 'claude-code');
    expect(code).toBe(1);
    expect(err).toContain('holds the keys of the trust domain');
  });

  it('allows what is granted, on record', async () => {
    const { code, json } = await hook(preToolUse('Read', { file_path: join(project, 'a') }));
    const decision = lastDecision();
    expect(code).toBe(0);
    expect(json).toEqual({
      hookSpecificOutput: {
        hookEventName: 'PreToolUse',
        permissionDecision: 'allow',
        permissionDecisionReason: `Permitted by Writ (receipt ${decision?.id})`,
      },
    });
    expect(decision).toMatchObject({ verdict: 'permit', tool: 'hook://claude-code/Read' });
  });

  it('leaves prompts to Claude Code when told to', async () => {
    const use = preToolUse('Read', { file_path: join(project, 'a') });
    expect(await hook(use, '--keep-prompts')).toMatchObject({ code: 0, out: '' });
    const denied = await hook(preToolUse('Read', { file_path: '/etc/shadow' }), '--keep-prompts');
    expect(denied.json).toMatchObject({ hookSpecificOutput: { permissionDecision: 'deny' } });
  });

  it.each([
    ['Read', { file_path: '/etc/shadow' }, 'scope.arguments_not_granted'],
    ['Read', { file_path: '../home/.writ/keys/issuer.pem' }, 'scope.arguments_not_granted'],
    ['Read', { file_path: '/work', unheard_of: true }, 'scope.arguments_not_granted'],
    ['Bash', { command: 'cat /etc/shadow' }, 'scope.tool_not_granted'],
    ['mcp__fs__read', { path: '/a' }, 'scope.tool_not_granted'],
    ['../Read', { file_path: '/work/a' }, 'scope.tool_not_granted'],
  ])('denies, on record, with a reason for the model: %s %j', async (tool, input, code) => {
    const ran = await hook(preToolUse(tool, input));
    const decision = lastDecision();
    expect(ran.code).toBe(0);
    expect(ran.json).toMatchObject({
      hookSpecificOutput: {
        permissionDecision: 'deny',
        permissionDecisionReason: expect.stringContaining(`(${code}, receipt ${decision?.id})`),
      },
    });
    expect(decision).toMatchObject({ verdict: 'deny', code });
  });

  it.each<[string, string | Buffer]>([
    ['nothing', ''],
    ['no JSON', 'Read /work/a'],
    [
      'a member twice',
      '{"hook_event_name":"PreToolUse","tool_name":"Read","tool_name":"Bash","tool_input":{}}',
    ],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['another event', preToolUse('Read', {}).replace('PreToolUse', 'Stop')],
    ['no tool', '{"hook_event_name":"PreToolUse","tool_input":{}}'],
    ['no input', '{"hook_event_name":"PreToolUse","tool_name":"Read"}'],
    ['a list for input', '{"hook_event_name":"PreToolUse","tool_name":"Read","tool_input":[]}'],
    ['too much', 'x'.repeat(5 * 1024 * 1024)],
  ])('blocks when it is given %s', async (_name, stdin) => {
    const { code, out, err } = await hook(stdin);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain('Blocked by Writ: ');
  });

  const good = preToolUse('Read', { file_path: join(project, 'a') });

  it('blocks without a trust domain, without keys, and with wrong options', async () => {
    expect(await writ({ cwd: '/', stdin: good }, '--home', '/none', 'hook', 'claude-code')).toMatchObject({
      code: 2,
      out: '',
    });
    for (const wrong of [['--timeout', 'soon'], ['--unknown'], ['extra']]) {
      expect(await hook(good, ...wrong), wrong.join(' ')).toMatchObject({ code: 2, out: '' });
    }
    const key = join(home, 'keys', 'evidence.key');
    renameSync(key, `${key}.gone`);
    expect(await hook(good)).toMatchObject({ code: 2, out: '' });
    renameSync(`${key}.gone`, key);
  });

  it('does not take the word of a domain that lies in the project', async () => {
    const planted = join(folder, 'cloned');
    mkdirSync(planted);
    await writ({ cwd: planted }, 'init');
    for (const homeFolder of [undefined, home]) {
      const ran = await writ(
        { cwd: planted, stdin: good, ...(homeFolder === undefined ? {} : { homeFolder }) },
        'hook',
        'claude-code',
      );
      expect(ran).toMatchObject({ code: 2, out: '' });
      expect(ran.err).toContain('name the trust domain');
    }
  });

  describe.each(['in its own process', 'by the daemon'])('the outcome, recorded %s', (where) => {
    let daemon: Daemon | undefined;
    const SECRET = 'hunter2-in-the-result';
    const input = { file_path: join(project, 'a') };
    let uses = 0;

    beforeAll(async () => {
      if (where === 'by the daemon') daemon = await startDaemon(must(openHome(home)));
    });
    afterAll(() => daemon?.close());

    const named = (event: string, useId: string, more: object = {}) =>
      JSON.stringify({
        ...JSON.parse(preToolUse('Read', input)),
        hook_event_name: event,
        tool_use_id: useId,
        ...more,
      });

    /** A use that was permitted, with its execution. */
    async function permitted(): Promise<{ readonly useId: string; readonly id: string }> {
      uses += 1;
      const useId = `toolu_${where}_${uses}`;
      const { json } = await hook(named('PreToolUse', useId), '--await-outcome');
      expect(json).toMatchObject({ hookSpecificOutput: { permissionDecision: 'allow' } });
      const id = lastDecision()?.id ?? '';
      expect(outcomesOf(id)).toEqual([]);
      return { useId, id };
    }

    function outcomesOf(id: string): OutcomeReceipt[] {
      const reader = openSqliteLogReader(join(home, 'execution', 'claude-code'));
      const entries = reader.read(0, reader.head().size).map(parseOutcomeReceipt);
      reader.close();
      return entries.flatMap((entry) => (isDenial(entry) || entry.id !== id ? [] : [entry]));
    }

    it('is what PostToolUse tells, once, by its digest', async () => {
      const { useId, id } = await permitted();
      const told = named('PostToolUse', useId, { tool_response: { content: SECRET } });
      expect(await hook(told)).toMatchObject({ code: 0, out: '' });
      const [outcome, ...others] = outcomesOf(id);
      expect([outcome?.status, others]).toEqual(['succeeded', []]);
      expect(outcome?.result).toBeDefined();
      expect(JSON.stringify(outcome)).not.toContain(SECRET);
      expect(await hook(told)).toMatchObject({ code: 1, out: '' });
      expect(outcomesOf(id)).toHaveLength(1);
      const again = await withWrit((writ) => writ.tell(id, { status: 'failed' }));
      expect(again?.code).toBe('replay.detected');
      expect(outcomesOf(id)).toHaveLength(1);
    });

    it('is a failure where PostToolUseFailure tells it', async () => {
      const { useId, id } = await permitted();
      expect(await hook(named('PostToolUseFailure', useId, { error: SECRET }))).toMatchObject({ code: 0 });
      expect(outcomesOf(id)).toMatchObject([{ status: 'failed' }]);
    });

    it('is told by nobody else: not of another session, not of a use that was not permitted', async () => {
      const { useId, id } = await permitted();
      for (const forged of [
        named('PostToolUse', useId, { session_id: 'another' }),
        named('PostToolUse', 'toolu_unknown'),
        named('PostToolUse', `../${useId}`),
        named('PostToolUse', 'x'.repeat(300)),
        JSON.stringify({ ...JSON.parse(named('PostToolUse', '')), tool_use_id: undefined }),
      ]) {
        expect(await hook(forged)).toMatchObject({ code: 1, out: '' });
      }
      expect(outcomesOf(id)).toEqual([]);
      const denied = await hook(
        named('PreToolUse', 'toolu_denied', { tool_name: 'Bash' }),
        '--await-outcome',
      );
      expect(denied.json).toMatchObject({ hookSpecificOutput: { permissionDecision: 'deny' } });
      const refused = lastDecision()?.id ?? '';
      expect(await hook(named('PostToolUse', 'toolu_denied', { tool_name: 'Bash' }))).toMatchObject({
        code: 1,
      });
      const told = await withWrit((writ) => writ.tell(refused, { status: 'succeeded' }));
      expect(told?.code).toBe('request.malformed');
      expect(outcomesOf(refused)).toEqual([]);
    });

    it('is unknown, and said aloud, where the tool ran with other arguments than were permitted', async () => {
      const { useId, id } = await permitted();
      const ran = await hook(named('PostToolUse', useId, { tool_input: { file_path: '/etc/shadow' } }));
      expect(ran.code).toBe(1);
      expect(ran.err).toContain('other arguments than were permitted');
      expect(outcomesOf(id)).toMatchObject([
        { status: 'unknown', note: expect.stringContaining('other arguments') },
      ]);
    });
  });

  async function withWrit<T>(use: (one: Writ) => Promise<T>): Promise<T> {
    const one = await openWrit({
      home,
      name: 'claude-code',
      scheme: 'hook',
      lockTimeoutMs: 5000,
      measure: async () => [],
    });
    try {
      return await use(one);
    } finally {
      await one.close();
    }
  }

  it('has an unknown outcome at once where nobody will tell', async () => {
    await hook(preToolUse('Read', { file_path: join(project, 'a') }));
    const reader = openSqliteLogReader(join(home, 'execution', 'claude-code'));
    const last = parseOutcomeReceipt(reader.read(reader.head().size - 1, 1)[0] ?? new Uint8Array());
    reader.close();
    expect(last).toMatchObject({ id: lastDecision()?.id, status: 'unknown' });
  });

  it('denies without an artifact, on record', async () => {
    const { json } = await hook(good, '--artifact', 'none');
    expect(json).toMatchObject({ hookSpecificOutput: { permissionDecision: 'deny' } });
    expect(lastDecision()).toMatchObject({ code: 'artifact.missing' });
  });

  it('blocks when the log is broken', async () => {
    const log = join(home, 'execution', 'claude-code', 'log.sqlite');
    const bytes = readFileSync(log);
    writeFileSync(log, 'garbage');
    expect(await hook(good)).toMatchObject({ code: 2, out: '' });
    writeFileSync(log, bytes);
  });

  it('blocks when its input never ends, and ends itself', async () => {
    const { code, err } = await inProcess(undefined, '--timeout', '1s');
    expect(code).toBe(2);
    expect(err).toContain('no decision came in time');
  });

  it('decides in turn when hooks run side by side, in one log', async () => {
    const answers = await Promise.all([good, good, good].map((use) => inProcess(use)));
    for (const { out } of answers) expect(out).toContain('"permissionDecision":"allow"');
    expect(existsSync(join(home, 'execution', 'claude-code~2'))).toBe(false);
  });
});

describe('writ sdk adopt', () => {
  const { folder, remove } = makeFolder();
  afterAll(remove);

  const manifest = (id: string): string =>
    JSON.stringify({
      server: 'app',
      tools: [
        {
          id,
          definition: {
            name: 'read_file',
            inputSchema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
            annotations: { readOnlyHint: true },
          },
        },
        { id: 'sdk://app/write_file', definition: { name: 'write_file', inputSchema: { type: 'object' } } },
      ],
    });

  it('pins what a program lists, and grants what only reads', async () => {
    await writ({ cwd: folder }, 'init');
    writeFileSync(join(folder, 'tools.json'), manifest('sdk://app/read_file'));
    const { json, code } = await writ({ cwd: folder }, '--json', 'sdk', 'adopt', 'tools.json');
    expect(code).toBe(0);
    expect(json).toMatchObject({
      program: { name: 'app', tools: [{ granted: true }, { granted: false, group: 'destructive' }] },
      artifact: { name: 'agent-app', changed: true },
    });
    const again = await writ({ cwd: folder }, 'sdk', 'adopt', 'tools.json');
    expect(again.out).toContain('unchanged agent-app');
  });

  it('refuses tools of somebody else', async () => {
    writeFileSync(join(folder, 'foreign.json'), manifest('mcp://app/tools/read_file'));
    expect(await writ({ cwd: folder }, 'sdk', 'adopt', 'foreign.json')).toMatchObject({ code: 2 });
    writeFileSync(join(folder, 'empty.json'), '{"server":"app","tools":[]}');
    expect(await writ({ cwd: folder }, 'sdk', 'adopt', 'empty.json')).toMatchObject({ code: 2 });
  });
});
