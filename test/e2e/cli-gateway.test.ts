import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../src/codec/index.ts';
import { connect, endOf, runWrit, startWrit, writJson } from './cli-program.ts';

const SERVER = createRequire(import.meta.url).resolve(
  '@modelcontextprotocol/server-filesystem/dist/index.js',
);

let folder = '';
let file = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writ-e2e-'));
  mkdirSync(join(folder, 'work'));
  file = join(folder, 'work', 'notes.txt');
  writeFileSync(file, 'remember the milk\n');
  await writJson(folder, 'init', '--server', 'fs', '--', process.execPath, SERVER, 'work');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function decisions(...args: string[]): Promise<JsonObject[]> {
  return (await writJson(folder, 'log', 'show', ...args)).decisions as unknown as JsonObject[];
}

/** The denial a call was answered with. */
async function denialOf(call: Promise<unknown>): Promise<JsonObject> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Error && 'data' in error) return error.data as JsonObject;
    throw error;
  }
  throw new Error('the call was not denied');
}

describe('a filesystem server behind writ mcp', () => {
  it('does what is granted, nothing else, and leaves a receipt of each', async () => {
    const client = await connect(
      folder,
      '--name',
      'fs',
      '--daemon',
      'never',
      '--',
      process.execPath,
      SERVER,
      'work',
    );
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain('read_text_file');
    expect(tools.map(({ name }) => name)).not.toContain('write_file');
    const read = await client.callTool({ name: 'read_text_file', arguments: { path: file } });
    expect(JSON.stringify(read)).toContain('remember the milk');
    const written = join(folder, 'work', 'written.txt');
    const denial = await denialOf(
      client.callTool({ name: 'write_file', arguments: { path: written, content: 'x' } }),
    );
    expect(denial.code).toBe('scope.tool_not_granted');
    expect(existsSync(written)).toBe(false);
    await client.close();

    const shown = await decisions();
    expect(shown).toMatchObject([
      { verdict: 'permit', tool: 'mcp://fs/tools/read_text_file', outcome: 'succeeded' },
      { verdict: 'deny', code: 'scope.tool_not_granted', tool: 'mcp://fs/tools/write_file', outcome: null },
    ]);
    expect(shown[1]?.execution).toBe(denial.receipt);
    expect(await decisions('--deny')).toHaveLength(1);
    expect(await decisions('--permit', '--tail', '1')).toHaveLength(1);
    expect(await decisions('--tail', '0')).toEqual([]);
    expect(await writJson(folder, 'log', 'verify')).toMatchObject({
      verified: true,
      logs: [{ log: 'governance' }, { log: 'fs', entries: 3, signed: 3, problems: [] }],
    });
  });

  it('stops at once what is revoked, and starts what is granted, while the gateway runs', async () => {
    const follower = startWrit(folder, 'log', 'show', '--follow', '--json', '--tail', '1');
    let followed = '';
    follower.stdout.on('data', (chunk: Buffer) => {
      followed += chunk.toString('utf8');
    });
    const sees = (count: number) =>
      vi.waitFor(() => expect(followed.split('\n')).toHaveLength(count + 1), { timeout: 20_000 });
    await sees(1);
    const client = await connect(folder, '--name', 'fs', '--daemon', 'never');
    const read = () => client.callTool({ name: 'read_text_file', arguments: { path: file } });
    await read();
    await writJson(folder, 'artifact', 'revoke', '--artifact', 'agent-fs', '--reason', 'test');
    expect((await denialOf(read())).code).toBe('revocation.revoked');
    await client.close();
    await writJson(folder, 'init', '--server', 'fs', '--', process.execPath, SERVER, 'work');
    const again = await connect(folder, '--name', 'fs', '--daemon', 'never');
    expect(
      JSON.stringify(await again.callTool({ name: 'read_text_file', arguments: { path: file } })),
    ).toContain('remember the milk');
    await again.close();
    await sees(4);
    follower.kill();
    const verdicts = followed
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as JsonObject).verdict);
    expect(verdicts.slice(1)).toEqual(['permit', 'deny', 'permit']);
  });

  it('packs evidence that verifies elsewhere, and not when it is touched', async () => {
    const [newest] = await decisions('--permit', '--tail', '1');
    const id = String(newest?.execution);
    await writJson(folder, 'receipt', 'bundle', id, '--out', 'bundle.json');
    const logKey = join(folder, '.writ/execution/fs/log.vkey');
    const verify = ['receipt', 'verify', join(folder, 'bundle.json'), '--log-key', logKey];
    // Anywhere: no trust domain is at hand here.
    expect(await writJson('/', ...verify)).toMatchObject({
      verified: true,
      problems: [],
      withheld: [],
      execution: id,
      verdict: 'permit',
      outcome: 'succeeded',
      rederived: 'same',
    });
    const bundle = JSON.parse(readFileSync(join(folder, 'bundle.json'), 'utf8')) as {
      readonly executions: readonly { readonly decision: JsonObject }[];
    };
    const [execution] = bundle.executions;
    const other = join(folder, '.writ/other.vkey');
    const { governanceVkey } = JSON.parse(readFileSync(join(folder, '.writ/domain.json'), 'utf8')) as {
      governanceVkey: string;
    };
    writeFileSync(other, governanceVkey);
    const wrongKey = await runWrit(
      '/',
      'receipt',
      'verify',
      join(folder, 'bundle.json'),
      '--log-key',
      other,
      '--json',
    );
    expect(wrongKey.code).toBe(1);
    const entry = Buffer.from(String(execution?.decision.entry), 'base64').toString('utf8');
    const forged = Buffer.from(entry.replace('read_text_file', 'move_file')).toString('base64');
    writeFileSync(
      join(folder, 'forged.json'),
      JSON.stringify({
        ...bundle,
        executions: [{ ...execution, decision: { ...execution?.decision, entry: forged } }],
      }),
    );
    const touched = await runWrit(
      '/',
      'receipt',
      'verify',
      join(folder, 'forged.json'),
      '--log-key',
      logKey,
      '--json',
    );
    expect(touched.code).toBe(1);
    expect(JSON.parse(touched.out)).toMatchObject({
      verified: false,
      problems: [expect.stringContaining('decision')],
    });

    await writJson(folder, 'receipt', 'bundle', id, '--withhold', 'request', '--out', 'closed.json');
    expect(readFileSync(join(folder, 'closed.json'), 'utf8')).not.toContain('notes.txt');
    const closed = ['receipt', 'verify', join(folder, 'closed.json'), '--log-key', logKey];
    expect(await writJson('/', ...closed)).toMatchObject({ verified: true, withheld: ['request'] });
  });

  it('shows one receipt with its arguments sealed, unless they are asked for', async () => {
    const sealed = await writJson(folder, 'receipt', 'show', 'last');
    expect(sealed).toMatchObject({
      log: 'fs',
      decision: { verdict: 'permit' },
      outcome: { status: 'succeeded' },
    });
    expect(JSON.stringify(sealed)).not.toContain('notes.txt');
    expect(await writJson(folder, 'receipt', 'show', 'last', '--reveal')).toMatchObject({
      arguments: { path: file },
    });
    const absent = await runWrit(folder, 'receipt', 'show', '00000000-0000-7000-8000-000000000000');
    expect(absent).toMatchObject({ code: 1, out: '' });
    const { executions } = await writJson(folder, 'lineage', 'show', 'last');
    expect(executions).toMatchObject([{ depth: 0, verdict: 'permit', outcome: 'succeeded' }]);
  });

  it('derives every decision again, and the same', async () => {
    const { same, logs } = await writJson(folder, 'log', 'replay');
    expect({ same, logs }).toMatchObject({ same: true, logs: [{ log: 'fs', different: [], withheld: 0 }] });
  });

  it('ends in order when it is told to, with everything recorded', async () => {
    const child = startWrit(
      folder,
      'mcp',
      '--name',
      'fs',
      '--daemon',
      'never',
      '--',
      process.execPath,
      SERVER,
      'work',
    );
    const ended = endOf(child);
    child.stdin.write(
      `${JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } },
      })}\n`,
    );
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGTERM');
    const { code, signal, out, err } = await ended;
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    for (const line of out.trim().split('\n')) expect(JSON.parse(line)).toMatchObject({ jsonrpc: '2.0' });
    expect(err).not.toMatch(/\n\s+at /);
    expect(await writJson(folder, 'log', 'verify')).toMatchObject({ verified: true });
  });

  it('says on stderr what is wrong where it cannot start', async () => {
    for (const [cwd, args, hint] of [
      ['/', ['--name', 'fs', '--', process.execPath, SERVER], 'writ init --server fs -- '],
      [folder, ['--name', 'other', '--', process.execPath, SERVER], 'writ init --server other -- '],
      [folder, ['--name', 'fs', '--', './no-such-server'], 'installed'],
    ] as const) {
      const { code, out, err } = await runWrit(cwd, 'mcp', '--daemon', 'never', ...args);
      expect({ code, out }, hint).toEqual({ code: 1, out: '' });
      expect(err).toContain(hint);
      expect(err).not.toMatch(/\n\s+at /);
    }
  });

  it('goes quietly when nobody reads on', async () => {
    const child = startWrit(folder, 'policy', 'show', '--source');
    child.stdout.destroy();
    const { code, err } = await endOf(child);
    expect(code).toBe(141);
    expect(err).toBe('');
  });

  it('names the first bad entry of a log that was tampered with', async () => {
    const database = new DatabaseSync(join(folder, '.writ/execution/fs/log.sqlite'));
    const row = database.prepare('SELECT body FROM entry WHERE idx = 1').get();
    const body = Buffer.from(row?.body as Uint8Array)
      .toString('utf8')
      .replace('"type"', '"typE"');
    database.prepare('UPDATE entry SET body = ? WHERE idx = 1').run(Buffer.from(body));
    database.close();
    const { code, out } = await runWrit(folder, 'log', 'verify', '--log', 'fs', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      verified: false,
      logs: [{ log: 'fs', problems: [{ where: 'entry 1' }] }],
    });
    const doctor = await runWrit(folder, 'doctor', '--json');
    expect(doctor.code).toBe(1);
    expect(doctor.out).toContain('"check":"log fs","status":"fail"');
  });

  it('does not trust a damaged governance log', async () => {
    const path = join(folder, '.writ/governance/checkpoint');
    const note = readFileSync(path, 'utf8');
    const descriptor = openSync(path, 'r+');
    writeSync(descriptor, note.replace(/\n\d+\n/, '\n1\n'));
    closeSync(descriptor);
    const verified = await runWrit(folder, 'log', 'verify', '--governance', '--json');
    expect(verified.code).toBe(1);
    const shown = await runWrit(folder, 'policy', 'show', '--json');
    expect(shown.code).toBe(1);
    expect(JSON.parse(shown.out)).toMatchObject({
      error: { hint: expect.stringContaining('writ log verify --governance') },
    });
  });
});
