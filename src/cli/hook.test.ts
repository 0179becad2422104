import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { type DecisionReceipt, parseDecisionReceipt } from '../receipt/index.ts';
import { openSqliteLogReader } from '../storage/index.ts';
import { makeFolder, writ } from './run.test-support.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/writ.js', import.meta.url));

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
    expect(out).toContain(`"command": "writ --home ${home} hook claude-code || exit 2"`);
    expect(out).toContain('"onFailure": "block"');
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
    ['another event', preToolUse('Read', {}).replace('PreToolUse', 'PostToolUse')],
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
