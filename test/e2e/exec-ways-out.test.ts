import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WAYS_OUT as TERRAFORM } from '../../examples/infrastructure-operations/main.ts';
import { WAYS_OUT as TAR } from '../../examples/machine-workflows/main.ts';
import { createPresenter } from '../../src/artifact/index.ts';
import type { JsonObject } from '../../src/codec/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import { mustRead, runConfined, testConfiner } from '../../src/enforce/exec/confined.test-support.ts';
import { accountOf } from '../../src/enforce/exec/confiner.ts';
import { resolveAsk } from '../../src/enforce/exec/exec-request.ts';
import { type ExecTool, execPointName, execTool } from '../../src/enforce/exec/exec-tool.ts';
import { closePaths } from '../../src/enforce/exec/granted-path.ts';
import { DEFAULT_LIMITS } from '../../src/enforce/exec/limits.ts';
import { CONFINEMENT_LAYERS, confinementComponents } from '../../src/environment/index.ts';
import { type OpenedGovernor, openGovernor, publishPolicy } from '../../src/governor/index.ts';
import { buildPolicyBundle } from '../../src/policy/index.ts';
import { must, nowSeconds, TestDomain } from '../support/trust-domain.ts';

const found = testConfiner();
const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));

/** The programs of the examples' grammars, with what each is for and the ways out that it is known for. */
const PROGRAMS = {
  backup: { path: '/usr/bin/tar', grammar: 'machine-workflows/backup-argv.json' },
  terraform: {
    path: join(EXAMPLES, 'infrastructure-operations/stand-in.sh'),
    grammar: 'infrastructure-operations/apply-argv.json',
  },
} as const;
type Name = keyof typeof PROGRAMS;
const NAMES: readonly Name[] = ['backup', 'terraform'];

describe.skipIf(found === undefined)('known ways to make something else of a granted program', () => {
  let domain: TestDomain;
  let opened: OpenedGovernor;
  let data: string;
  let backups: string;
  const tools: Partial<Record<Name, ExecTool>> = {};
  let effects = 0;

  beforeAll(async () => {
    domain = await TestDomain.create();
    chmodSync(domain.folder, 0o755);
    [data, backups] = [join(domain.folder, 'data'), join(domain.folder, 'backups')];
    for (const folder of [data, backups]) mkdirSync(folder);
    chmodSync(backups, 0o777);
    writeFileSync(join(data, 'orders.csv'), 'one\n');
    for (const name of NAMES) tools[name] = execTool(name, mustRead(PROGRAMS[name].path), 'write');
    const bundle = buildPolicyBundle({
      id: 'default',
      policies: [{ path: 'a.cedar', text: 'permit (principal, action, resource);' }],
      tools: Object.values(tools),
    });
    if (!('digest' in bundle)) throw new Error(JSON.stringify(bundle));
    must(await publishPolicy(domain.home, bundle, { actor: 'test', atSeconds: nowSeconds() }));
    const states = new Map(CONFINEMENT_LAYERS.map((layer) => [layer, 'holds' as const]));
    opened = must(
      await openGovernor({
        home: domain.home,
        name: execPointName('all'),
        components: confinementComponents(states),
      }),
    );
    opened.setTools(Object.values(tools).map(({ id, digest }) => ({ id, digest })));
  });
  afterAll(async () => {
    await opened.close();
    domain.dispose();
  });

  /** The real decision on a call as `writ exec` asks for it, with the grammar of the example; the effect is counted. */
  async function decide(name: Name, argv: readonly string[]): Promise<string> {
    const tool = tools[name];
    if (tool === undefined || found === undefined) throw new TypeError(`no ${name}`);
    const text = readFileSync(join(EXAMPLES, PROGRAMS[name].grammar), 'utf8');
    const grammar: JsonObject = JSON.parse(text.replace('BACKUPS', backups).replace('DATA', data));
    const granted = { '*': { constraint_type: 'wildcard' }, argv: { constraint_type: 'argv', ...grammar } };
    const chain = [domain.issue({ tools: { [tool.id]: granted }, audiences: [opened.audience] })];
    const request = resolveAsk(
      {
        program: mustRead(PROGRAMS[name].path),
        argv,
        environment: new Map(),
        read: [data],
        write: [backups],
        network: [],
        limits: DEFAULT_LIMITS,
        account: accountOf(found),
      },
      '/',
      [domain.home.folder],
    );
    if (isDenial(request)) return request.code;
    closePaths(request.paths);
    const presenter = must(createPresenter({ chain, signer: domain.agent, audience: opened.audience }));
    const { args } = request;
    const presentation = presenter.present(tool.id, args);
    const outcome = await opened.governor.run(
      { tool: tool.id, toolDigest: tool.digest, args, presentation },
      () => {
        effects += 1;
        return Promise.resolve({ status: 'succeeded', value: undefined });
      },
    );
    return outcome.verdict === 'permit' ? 'permit' : outcome.denial.code;
  }

  it('are denied by the real decision, every one, and nothing is done', async () => {
    const mark = join(backups, 'was-here');
    const line = ['--create', `--file=${join(backups, 'x.tar')}`];
    const calls: (readonly [Name, string, readonly string[]])[] = [
      ...Object.entries(TAR(mark)).map(([way, words]) => ['backup', way, [...line, ...words, data]] as const),
      ...Object.entries(TERRAFORM).map(([way, words]) => ['terraform', way, words] as const),
    ];
    for (const [name, way, argv] of calls) {
      expect(await decide(name, argv), way).toBe('scope.arguments_not_granted');
    }
    expect(effects).toBe(0);
    expect(await decide('backup', [...line, data])).toBe('permit');
    expect(await decide('terraform', ['apply', '--input=false', '/dev/stdin'])).toBe('permit');
    expect(effects).toBe(2);
  });

  it('reach no further than the program itself, where any arguments are granted', async () => {
    const secret = join(domain.folder, 'secret');
    const open = join(domain.folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    writeFileSync(secret, 'a secret\n', { mode: 0o644 });
    const outside = join(open, 'was-here');
    const line = ['-cf', join(backups, 'all.tar')];
    // Outside of what is granted, where anybody may write.
    const ways = [...Object.values(TAR(outside)), ['--to-command=cat', '-xf', join(backups, 'x.tar')]];
    const calls = [
      ...ways.map((words) => [...line, ...words, data]),
      ...[secret, `${data}/../secret`, '/etc/shadow'].map((file) => ['-cf', join(backups, 'read.tar'), file]),
      ['-cf', outside, data],
      ['-cf', join(backups, 'y.tar'), '-I', `sh -c "cat ${secret} >&2; cat > ${outside}"`, data],
      ['-cf', '/dev/null', '--checkpoint=1', '--checkpoint-action=exec=echo a shell ran >&2', data],
    ];
    const quoted = calls.map((words) => `tar ${words.map((word) => `'${word}'`).join(' ')} < /dev/null`);
    if (found === undefined) throw new TypeError('nothing confines');
    const ran = await runConfined(found, ['-c', quoted.join('\n')], {
      read: [data],
      write: [backups],
    });
    if (isDenial(ran)) throw new Error(ran.detail);
    expect(ran.out).toContain('a shell ran');
    expect(ran.out).not.toContain('a secret');
    expect(existsSync(outside)).toBe(false);
    expect(readdirSync(open)).toEqual([]);
    for (const name of readdirSync(backups)) {
      expect(readFileSync(join(backups, name), 'latin1')).not.toContain('a secret');
    }
    expect(readFileSync(join(data, 'orders.csv'), 'utf8')).toBe('one\n');
  });
});
