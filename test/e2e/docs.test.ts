import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/command-table.ts';
import { writ } from '../../src/cli/run.test-support.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/codec/index.ts';
import { isReasonCode, REASONS, STAGES } from '../../src/denial/index.ts';
import { bundleExecution, type OpenedGovernor, verifyEvidence } from '../../src/governor/index.ts';
import { DECISION_RECEIPT } from '../../src/receipt/index.ts';
import { NOTICES } from '../../src/server/config/index.ts';
import { openSqliteLogReader } from '../../src/storage/index.ts';
import { parseVkey } from '../../src/tlog/index.ts';
import { must, READ, TestDomain, WRITE } from '../support/trust-domain.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const markdownIn = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
const GUIDES = ['README.md', ...markdownIn('docs')];
const PAGES = [...new Set([...markdownIn('.'), ...GUIDES, ...markdownIn('spec')])];

const read = (page: string) => readFileSync(join(ROOT, page), 'utf8');

/** Text of the fenced code blocks of a page, by language. */
function codeBlocks(page: string): { language: string; text: string }[] {
  return [...read(page).matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
  }));
}

/** Every `writ …` a page shows, without what belongs to another program: a server's command, a comment. */
function commandLines(page: string): string[] {
  const inBlocks = codeBlocks(page).flatMap(({ text }) =>
    [...text.matchAll(/^(?:\$ )?(?:claude mcp add \S+ -- )?(?:writ|node bin\/writ\.js) (.*)$/gm)].map(
      ([, line = '']) => line,
    ),
  );
  const inline = [...read(page).matchAll(/`writ ([a-z][^`]*)`/g)].map(([, line = '']) => line);
  return [...inBlocks, ...inline].map((line) => line.replace(/ (-- .*|#.*)$/, ''));
}

/** `log verify`, `init`: the words that name the command. */
function commandOf(line: string): string | undefined {
  const [first = '', second = ''] = line.split(' ');
  const entry = COMMANDS[first];
  if (entry === undefined) return undefined;
  if ('load' in entry && entry.commands?.[second] === undefined) return first;
  return entry.commands?.[second] === undefined ? undefined : `${first} ${second}`;
}

const helps = new Map<string, Promise<string>>();
function helpOf(command: string): Promise<string> {
  const known = helps.get(command);
  if (known !== undefined) return known;
  const help = writ({ cwd: ROOT }, ...command.split(' '), '--help').then(({ out }) => out);
  helps.set(command, help);
  return help;
}

async function expectCommand(line: string): Promise<void> {
  const command = commandOf(line);
  expect(command, `writ ${line}`).toBeDefined();
  const help = await helpOf(command ?? '');
  expect(help).toContain(`Usage: writ ${command}`);
  for (const [option] of line.matchAll(/--[a-z][a-z-]*/g)) {
    expect(help, `writ ${line}`).toMatch(new RegExp(`(^|\\s)${option}(\\s|$)`, 'm'));
  }
}

describe('the guides', () => {
  it.each(GUIDES)('%s: every command shown exists and has the options shown', async (page) => {
    const lines = commandLines(page);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) await expectCommand(line);
  });

  it.each(GUIDES)('%s: every npm task shown exists', (page) => {
    const { scripts } = JSON.parse(read('package.json'));
    for (const [, task = ''] of read(page).matchAll(/\bnpm (?:run )?(start|test|(?<=run )\w+(?::\w+)*)/g)) {
      expect(scripts, `npm ${task}`).toHaveProperty(task);
    }
  });

  it('every client configuration is JSON that runs the gateway', async () => {
    const configurations = codeBlocks('docs/client-configuration.md').filter(
      ({ language }) => language === 'json',
    );
    expect(configurations.length).toBe(4);
    for (const { text } of configurations) {
      const json: { [member: string]: Record<string, { command: string; args: string[] }> } =
        JSON.parse(text);
      const [server] = Object.values(json.mcpServers ?? json.servers ?? {});
      expect(server?.command).toBe('writ');
      await expectCommand(
        server?.args.slice(0, server.args.indexOf('--')).join(' ') ?? 'no server in the configuration',
      );
    }
  });

  it('README lists the stages in their order', () => {
    const table = [...read('README.md').matchAll(/^\| *(\d+) *\| (\w+)/gm)];
    expect(table.map(([, , stage]) => stage)).toEqual(STAGES);
    expect(table.map(([, number]) => Number(number))).toEqual(STAGES.map((_, index) => index + 1));
  });
});

describe('all pages', () => {
  it.each(PAGES)('%s: every link leads to a file', (page) => {
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?:|mailto:|#)/.test(target)) continue;
      const file = join(dirname(page), target.replace(/#.*$/, ''));
      expect(existsSync(join(ROOT, file)), `${page}: ${target}`).toBe(true);
    }
  });

  it.each(PAGES)('%s: every reason code is one of the registry', (page) => {
    const codes = new RegExp(
      `(?<![\\w./-])(?:${STAGES.join('|')}|log|internal)\\.[a-z]+_?[a-z_]*(?![\\w.])`,
      'g',
    );
    const fileNames = /\.(md|json|sqlite|vkey|lock)$/;
    for (const [code] of read(page).matchAll(codes)) {
      if (fileNames.test(code) || NOT_CODES.has(code)) continue;
      expect(isReasonCode(code), `${page}: ${code}`).toBe(true);
    }
  });

  it('spec/README.md lists every page and schema beside it', () => {
    for (const name of readdirSync(join(ROOT, 'spec'))) {
      if (name !== 'README.md') expect(read('spec/README.md')).toContain(`](${name})`);
    }
  });

  it('spec/receipt.md has every stage with its codes, in the order of the registry', () => {
    const rows = [...read('spec/receipt.md').matchAll(/^\| (?:`(\w+)`|(any)) +\| ((?:`\w+\.\w+` ?)+)/gm)];
    const documented = rows.flatMap(([, stage, any, codes = '']) =>
      [...codes.matchAll(/`([\w.]+)`/g)].map(([, code]) => [code, stage ?? any]),
    );
    expect(documented).toEqual(Object.entries(REASONS).map(([code, { stage }]) => [code, stage]));
  });
});

/** Members of formats and events, which look like codes. */
const NOT_CODES = new Set<string>([
  ...NOTICES,
  'log.level',
  'artifact.issued',
  'policy.published',
  'log.enrolled',
  'environment.enrolled',
  'environment.retired',
  'environment.json',
  'environment.statement',
  'policy.cedarschema',
  'approval.given',
  'approval.reviewed',
]);

describe('the schemas of receipts and bundles', () => {
  const ajv = new Ajv2020({ allErrors: true, strict: true, strictRequired: false });
  const schemaOf = (name: string): ValidateFunction => ajv.compile(JSON.parse(read(`spec/${name}`)));
  const receiptSchema = schemaOf('receipt.schema.json');
  const bundleSchema = schemaOf('bundle.schema.json');
  let domain: TestDomain;
  let opened: OpenedGovernor;
  let entries: JsonObject[];
  let ids: string[];

  function problemsOf(validate: ValidateFunction, value: JsonValue): unknown {
    return validate(value) ? [] : validate.errors;
  }

  beforeAll(async () => {
    domain = await TestDomain.create(
      'permit (principal, action, resource) unless { context.input.path == "/no" };',
    );
    opened = await domain.open();
    const { governor, audience } = opened;
    const chain = [
      domain.issue({
        tools: { [WRITE]: {} },
        writ: {
          initiator: { id: domain.home.agent('worker'), kind: 'agent' },
          attribution: { owner: 'team:records', onBehalfOf: ['customer:7'] },
          governance: { purpose: 'report', reference: 'issue 12' },
        },
      }),
    ];
    const call = (options: Partial<Parameters<TestDomain['call']>[1]> = {}) =>
      domain.call(chain, { audience, ...options });
    const run = (action: ReturnType<typeof call>, status: 'succeeded' | 'failed' | 'unknown' = 'succeeded') =>
      governor.run(action, async () => ({
        status,
        value: undefined,
        evidence: Buffer.from('result'),
        ...(status === 'succeeded' ? {} : { note: 'upstream exited' }),
      }));

    const once = call();
    const first = await run(once);
    const { presentation: _, ...bare } = call();
    const runs = [
      first,
      await run(call({ parent: first.executionId }), 'failed'),
      await run(call(), 'unknown'),
      await run(once),
      await run(call({ tool: READ })),
      await run(call({ args: { path: '/no' } })),
      await run(call({ parent: 'nobody' })),
      await run(call({ audience: 'spiffe://elsewhere' })),
      await run({ ...bare, presentation: undefined }),
      await run({ ...call(), tool: '' }),
      await run({ ...call(), presentation: { aat_chain: ['x.y.z'], aat_pop: '' } }),
    ];
    await governor.settle();
    ids = runs.map(({ executionId }) => executionId);
    const reader = openSqliteLogReader(domain.home.executionLogFolder('fs'));
    entries = reader
      .read(0, reader.head().size)
      .map((entry): JsonValue => JSON.parse(Buffer.from(entry).toString('utf8')))
      .filter(isJsonObject);
    reader.close();
  }, 60_000);

  afterAll(async () => {
    await opened?.close();
    domain?.dispose();
  });

  it('holds for every receipt a governor writes', () => {
    const decisions = entries.filter(({ type }) => type === DECISION_RECEIPT);
    const failed = new Set(
      decisions.flatMap(
        ({ stages }) => Object.entries(stages ?? {}).find(([, v]) => v === 'fail')?.[0] ?? [],
      ),
    );
    expect(failed).toEqual(
      new Set(['request', 'artifact', 'identity', 'scope', 'lineage', 'policy', 'replay']),
    );
    expect(entries.length - decisions.length).toBe(3);
    for (const entry of entries) expect(problemsOf(receiptSchema, entry), JSON.stringify(entry)).toEqual([]);
  });

  it('holds for the bundle of every execution, whole and withheld, and each verifies', async () => {
    const vkey = readFileSync(join(domain.home.executionLogFolder('fs'), 'log.vkey'), 'utf8').trim();
    const logKey = must(parseVkey(vkey));
    for (const id of ids) {
      for (const withhold of [new Set<never>(), new Set(['request', 'policy'] as const)]) {
        const text = JSON.stringify(must(await bundleExecution(domain.home, id, { withhold })));
        expect(problemsOf(bundleSchema, JSON.parse(text)), id).toEqual([]);
        expect(verifyEvidence(text, { logs: [logKey] }), id).toMatchObject({ verified: true, problems: [] });
      }
    }
  });

  it('refuses what no governor writes', () => {
    const permit = entries.find(({ verdict }) => verdict === 'permit') ?? {};
    const denial = entries.find(({ verdict }) => verdict === 'deny') ?? {};
    const outcome = entries.find(({ status }) => status === 'succeeded') ?? {};
    const { code: _, ...denialWithoutCode } = denial;
    const { policy: __, ...permitWithoutPolicy } = permit;
    const wrong: JsonValue[] = [
      { ...permit, code: 'scope.tool_not_granted' },
      { ...permit, verdict: 'warn' },
      { ...permit, stages: { ...(permit.stages as JsonObject), approval: 'skip' } },
      { ...permit, arguments: 'sha256:00' },
      { ...permit, args: { path: '/a' } },
      permitWithoutPolicy,
      denialWithoutCode,
      { ...denial, code: 'scope.whatever' },
      { ...outcome, status: 'maybe' },
      { ...outcome, status: 'terminated' },
      {},
    ];
    for (const receipt of wrong) expect(receiptSchema(receipt), JSON.stringify(receipt)).toBe(false);
  });
});
