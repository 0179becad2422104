import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writ } from '../../src/cli/run.test-support.ts';
import { isJsonObject, type JsonObject } from '../../src/codec/index.ts';
import { openHome, readEvidenceKey } from '../../src/governor/index.ts';
import { openSqliteLogReader } from '../../src/storage/index.ts';
import { findSecret, readTree } from '../support/planted-secret.ts';
import { must } from '../support/trust-domain.ts';
import { PROGRAM, writJson } from './cli-program.ts';

/** One of its kind for every place a secret can come from; none of them looks like a secret to a detector. */
const PLANTED = {
  password: 'violet-marmot-alpha',
  nestedPassword: 'violet-marmot-bravo',
  argument: 'violet-marmot-charlie',
  argumentName: 'violet-marmot-delta',
  pathArgument: 'violet-marmot-echo',
  ungrantedArgument: 'violet-marmot-foxtrot',
  namedParent: 'violet-marmot-golf',
  result: 'violet-marmot-hotel',
  error: 'violet-marmot-india',
  environment: 'violet-marmot-juliet',
  stderr: 'violet-marmot-kilo',
  commandLine: 'violet-marmot-lima',
  fileName: 'violet-marmot-mike',
  detected: 'violet-marmot-november',
} as const;

/** What the policy lets a receipt show. */
const SHOWN = 'amber-otter-shown';
const PREVIEWED = 'amber-otter-previewed';

const REDACTION = `# What receipts show of calls.
mcp://vault/tools/login:
  arguments:
    show: [/user]
    secret: [/password]
  results:
    show: [/structuredContent/session]
mcp://vault/tools/grumble:
  arguments: { show: preview }
  results: { show: preview }
`;

let folder = '';
let home = '';
const outputs = new Map<string, Buffer>();
const executions: JsonObject[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writ-redaction-'));
  home = join(folder, '.writ');
  const outside = join(folder, 'outside', PLANTED.fileName);
  mkdirSync(outside, { recursive: true });
  const script = join(outside, `${PLANTED.fileName}.mjs`);
  copyFileSync(fileURLToPath(new URL('../fixtures/indiscreet-server.mjs', import.meta.url)), script);
  const server = [process.execPath, script, `--api-key=${PLANTED.commandLine}`];
  await writJson(folder, 'init', '--server', 'vault', '--', ...server);
  writeFileSync(join(home, 'policy', 'redaction.yaml'), REDACTION);
  await writJson(folder, 'policy', 'publish');
  await callEverything(server);
  await runEveryCommand();
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function callEverything(server: readonly string[]): Promise<void> {
  const client = new Client({ name: 'test', version: '1' });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [PROGRAM, 'mcp', '--name', 'vault', '--daemon', 'never', '--', ...server],
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? '',
      PLANTED_RESULT: PLANTED.result,
      PLANTED_ERROR: PLANTED.error,
      PLANTED_ENVIRONMENT: PLANTED.environment,
      PLANTED_STDERR: PLANTED.stderr,
    },
    stderr: 'pipe',
  });
  let stderr = '';
  transport.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  await client.connect(transport);
  const call = (name: string, args: JsonObject, meta: JsonObject = {}) =>
    client.callTool({ name, arguments: args, _meta: meta }).catch((error: unknown) => error);
  const { password, argument, pathArgument: path } = PLANTED;
  const answer = await call('login', { user: SHOWN, password, note: argument, path: `/srv/${path}.txt` });
  await call('login', { user: 'bob', password: { in: [PLANTED.nestedPassword] } });
  await call('login', { user: 'bob', password, [PLANTED.argumentName]: argument });
  await call('login', { user: 'bob', password }, { 'writ/parent': PLANTED.namedParent });
  await call('fail', { query: argument });
  await call('grumble', { query: PREVIEWED, apiKey: PLANTED.detected });
  await call('no-such-tool', { query: PLANTED.ungrantedArgument, password });
  await client.close();
  // The server has had it all, and has told: otherwise nothing below would mean anything.
  for (const secret of ['argument', 'password', 'result', 'environment', 'pathArgument'] as const) {
    expect(JSON.stringify(answer)).toContain(PLANTED[secret]);
  }
  for (const secret of ['stderr', 'commandLine', 'fileName'] as const) {
    expect(stderr).toContain(PLANTED[secret]);
  }
}

async function runEveryCommand(): Promise<void> {
  const keep = async (...args: readonly string[]) => {
    const { out, err } = await writ({ cwd: folder }, ...args);
    outputs.set(args.join(' '), Buffer.from(out + err));
    return out;
  };
  const listed: unknown = JSON.parse(await keep('log', 'show', '--json'));
  if (!isJsonObject(listed) || !Array.isArray(listed.decisions)) throw new Error('no decisions');
  executions.push(...(listed.decisions as JsonObject[]));
  await keep('log', 'show');
  for (const { execution } of executions) {
    await keep('receipt', 'show', String(execution), '--json');
    await keep('lineage', 'show', String(execution), '--json');
  }
  const [first] = executions;
  await keep('receipt', 'show', String(first?.execution));
  for (const command of ['log verify', 'log replay', 'doctor', 'policy show', 'lineage show']) {
    await keep(...command.split(' '), '--json');
  }
  // The measurement names the program that ran: who hands a bundle on and minds that withholds it.
  const id = String(first?.execution);
  await keep('receipt', 'bundle', id, '--withhold', 'measurement', '--out', 'bundle.json');
  outputs.set('bundle.json', readFileSync(join(folder, 'bundle.json')));
}

/** Every piece of sealed evidence, opened with the domain's key. */
function openedEvidence(): Map<string, Buffer> {
  const opened = must(openHome(home));
  const key = must(readEvidenceKey(opened.evidenceKeyFile));
  const directory = opened.executionLogFolder('vault');
  const database = new DatabaseSync(join(directory, 'log.sqlite'), { readOnly: true });
  const addresses = database.prepare('SELECT address FROM evidence').all();
  database.close();
  const reader = openSqliteLogReader(directory);
  try {
    const blobs = addresses.map(({ address }) => reader.readEvidence(String(address), key));
    return new Map(blobs.map((blob, index) => [`evidence ${index}`, Buffer.from(blob ?? [])]));
  } finally {
    reader.close();
  }
}

const codes = () => executions.map(({ verdict, code }) => code ?? verdict);

describe('secrets planted in everything that passes the gateway', () => {
  it('were in calls that were decided, each in its way', () => {
    expect(codes()).toEqual([
      'permit',
      'permit',
      'scope.arguments_not_granted',
      'lineage.parent_unknown',
      'permit',
      'permit',
      'scope.tool_not_granted',
    ]);
  });

  it.each(Object.entries(PLANTED))('%s: in no byte of the home, in no output, in no form', (_, secret) => {
    expect(findSecret(secret, readTree(home))).toEqual([]);
    expect(findSecret(secret, outputs)).toEqual([]);
  });

  it('are not even sealed where a rule calls them secret; the rest of the arguments is', () => {
    const evidence = openedEvidence();
    expect(evidence.size).toBeGreaterThan(executions.length);
    expect([...evidence.values()].filter((bytes) => bytes.byteLength === 0)).toEqual([]);
    const { password, nestedPassword, argument, ungrantedArgument } = PLANTED;
    // The tool that is not granted has no rule: there the same word is nothing but an argument.
    const ofLogin = new Map([...evidence].filter(([, bytes]) => !bytes.includes('no-such-tool')));
    expect(findSecret(password, ofLogin)).toEqual([]);
    expect(findSecret(nestedPassword, evidence)).toEqual([]);
    expect(findSecret(argument, evidence)).not.toEqual([]);
    expect(findSecret(ungrantedArgument, evidence)).not.toEqual([]);
  });

  it('show what a rule shows, once, where it belongs', () => {
    for (const shown of [SHOWN, PREVIEWED]) {
      const found = findSecret(shown, readTree(home));
      expect(found.map((name) => name.replace(/tile\/.*/, 'tile'))).toEqual(
        expect.arrayContaining(['execution/vault/log.sqlite', 'execution/vault/tile']),
      );
      const database = new DatabaseSync(join(home, 'execution/vault/log.sqlite'), { readOnly: true });
      const entries = database.prepare('SELECT body FROM entry').all();
      database.close();
      const text = entries.map(({ body }) => Buffer.from(body as Uint8Array).toString('utf8')).join('\n');
      // The result of the one that previews it repeats its arguments, beside a secret: that is withheld.
      expect(text.split(shown)).toHaveLength(2);
      expect(String(outputs.get('log show --json')).split(shown)).toHaveLength(2);
      expect(String(outputs.get('log show')).split(shown)).toHaveLength(2);
    }
    const [login] = executions;
    const receipt: unknown = JSON.parse(
      String(outputs.get(`receipt show ${String(login?.execution)} --json`)),
    );
    expect(receipt).toMatchObject({
      decision: { preview: { detectors: 1, shown: { '/user': SHOWN } } },
      outcome: { preview: { shown: { '/structuredContent/session': 'open' } } },
    });
    expect(executions[5]).toMatchObject({
      preview: { shown: { '/query': PREVIEWED }, withheld: { '/apiKey': 'name' } },
      resultPreview: {
        shown: { '/isError': true, '/structuredContent/session': 'open', '/content/0/type': 'text' },
        withheld: { '/structuredContent/token': 'name', '/content/0/text': expect.any(String) },
      },
    });
  });

  it('leave logs that verify, and decisions that replay or are withheld', async () => {
    expect(await writJson(folder, 'log', 'verify')).toMatchObject({ verified: true });
    // Permitted and denied with a password: four, one of them to a tool without a rule.
    expect(await writJson(folder, 'log', 'replay')).toMatchObject({
      same: true,
      logs: [{ log: 'vault', same: 3, withheld: 4, different: [] }],
    });
    const logKey = join(home, 'execution/vault/log.vkey');
    expect(await writJson(folder, 'receipt', 'verify', 'bundle.json', '--log-key', logKey)).toMatchObject({
      verified: true,
      withheld: ['request', 'measurement'],
    });
  });

  it('stay where they are when their owner asks for the arguments', async () => {
    const reveal = async (index: number) =>
      writJson(folder, 'receipt', 'show', String(executions[index]?.execution), '--reveal');
    const { arguments: args } = await reveal(0);
    expect(args).toMatchObject({ user: SHOWN, password: '[redacted]', note: PLANTED.argument });
    expect((await reveal(4)).arguments).toEqual({ query: PLANTED.argument });
  });
});
