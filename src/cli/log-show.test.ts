import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SigningKey } from '../key/index.ts';
import { serializeReceipt } from '../receipt/index.ts';
import { withSqliteLog } from '../storage/index.ts';
import { type ReceiptDraft, receiptOf } from '../storage/sqlite/receipt-log.test-support.ts';
import { makeFolder, type Ran, writ } from './run.test-support.ts';

const DOMAIN = 'show.example';
const NOW_MS = Date.UTC(2026, 10, 20);
const HOUR_MS = 3_600_000;
const AGENT = `spiffe://${DOMAIN}/agent/planner`;
const signer = SigningKey.fromSeed(new Uint8Array(32).fill(4));

let folder = '';
let remove = () => {};

const run = (...argv: string[]): Promise<Ran> => writ({ cwd: folder, nowMs: NOW_MS }, ...argv);
const logFolder = (log: string) => join(folder, '.writ/execution', log);

async function append(log: string, drafts: readonly ReceiptDraft[]): Promise<void> {
  mkdirSync(logFolder(log), { recursive: true, mode: 0o700 });
  const options = { directory: logFolder(log), origin: `${DOMAIN}/execution/${log}`, signer };
  await withSqliteLog(options, async (opened) => {
    const entries = drafts.map((draft) => ({ entry: serializeReceipt(receiptOf(draft)) }));
    await Promise.all(entries.map((request) => opened.append(request)));
  });
}

interface Shown {
  readonly decisions: readonly { readonly execution: string }[];
  readonly next: string | null;
}

async function shown(...argv: string[]): Promise<{ ids: readonly string[]; next: string | null }> {
  const ran = await run('log', 'show', '--json', ...argv);
  expect(ran, ran.out + ran.err).toMatchObject({ code: 0, err: '' });
  const { decisions, next } = ran.json as unknown as Shown;
  return { ids: decisions.map(({ execution }) => execution), next };
}

beforeAll(async () => {
  ({ folder, remove } = makeFolder());
  expect((await run('init', '--name', DOMAIN)).code).toBe(0);
  await append('fs', [
    { id: 'fs-0', atMs: NOW_MS - 5 * HOUR_MS, agent: AGENT, tokens: ['t0'], initiator: 'spiffe://x/user/u' },
    {
      id: 'fs-1',
      atMs: NOW_MS - 3 * HOUR_MS,
      agent: AGENT,
      code: 'policy.forbidden',
      root: 'fs-0',
      parent: 'fs-0',
    },
    { id: 'fs-2', atMs: NOW_MS - 1 * HOUR_MS, tool: 'mcp://fs/tools/%' },
  ]);
  await append('web', [
    { id: 'web-0', atMs: NOW_MS - 4 * HOUR_MS, tokens: ['t0', 't1'] },
    { id: 'web-1', atMs: NOW_MS - 2 * HOUR_MS, code: 'replay.detected' },
  ]);
});
afterAll(() => remove());

describe('writ log show', () => {
  it('lists the newest of all logs in the order they were made', async () => {
    expect(await shown()).toEqual({ ids: ['fs-0', 'web-0', 'fs-1', 'web-1', 'fs-2'], next: null });
    expect((await shown('--tail', '2')).ids).toEqual(['web-1', 'fs-2']);
    expect((await shown('--tail', '0')).ids).toEqual([]);
    expect((await shown('--log', 'web', '--tail', '100000')).ids).toEqual(['web-0', 'web-1']);
  });

  it('narrows by what is asked for', async () => {
    const cases: readonly [readonly string[], readonly string[]][] = [
      [
        ['--agent', 'planner'],
        ['fs-0', 'fs-1'],
      ],
      [['--agent', AGENT, '--deny'], ['fs-1']],
      [['--agent', 'plan'], []],
      [['--subject', 'spiffe://x/user/u'], ['fs-0']],
      [['--tool', 'mcp://fs/tools/%'], ['fs-2']],
      [['--code', 'replay.detected'], ['web-1']],
      [
        ['--artifact', 't0'],
        ['fs-0', 'web-0'],
      ],
      [
        ['--root', 'fs-0'],
        ['fs-0', 'fs-1'],
      ],
      [['--parent', 'fs-0'], ['fs-1']],
      [
        ['--verdict', 'permit', '--since', '4h'],
        ['web-0', 'fs-2'],
      ],
      [
        ['--since', '2026-11-19T20:00Z', '--until', '1h'],
        ['web-0', 'fs-1', 'web-1'],
      ],
    ];
    for (const [argv, ids] of cases) expect([argv, (await shown(...argv)).ids]).toEqual([argv, ids]);
  });

  it('goes on page by page, in a listing that what is recorded meanwhile does not disturb', async () => {
    const first = await shown('--limit', '2', '--artifact', 't0', '--oldest-first');
    expect(first).toEqual({ ids: ['fs-0', 'web-0'], next: null });
    const newest = await shown('--limit', '2');
    expect(newest.ids).toEqual(['fs-2', 'web-1']);
    await append('web', [{ id: 'web-2', atMs: NOW_MS - 2 * HOUR_MS - 1 }]);
    const second = await shown('--cursor', newest.next ?? '', '--limit', '2');
    expect(second.ids).toEqual(['fs-1', 'web-0']);
    const third = await shown('--cursor', second.next ?? '');
    expect(third).toEqual({ ids: ['fs-0'], next: null });
    const text = await run('log', 'show', '--limit', '1');
    expect(text.out).toContain('fs-2');
    expect(text.err).toMatch(/more: writ log show --cursor [\w-]+\n/);
    await append('gone', [{ id: 'gone-0', atMs: NOW_MS }]);
    const { next } = await shown('--limit', '1');
    rmSync(logFolder('gone'), { recursive: true });
    const refused = await run('log', 'show', '--cursor', next ?? '', '--json');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'request.malformed' } } });
  });

  it('refuses what it cannot mean', async () => {
    const usage = [
      ['--code', 'no.such_code'],
      ['--since', 'yesterday'],
      ['--deny', '--permit'],
      ['--limit', '2', '--tail', '2'],
      ['--limit', '0'],
      ['--follow', '--limit', '2'],
      ['--cursor', 'x', '--agent', 'planner'],
      ['--verdict', 'maybe'],
      ['--agent', `spiffe://${'x'.repeat(2000)}`],
    ];
    for (const argv of usage) expect([argv, (await run('log', 'show', ...argv)).code]).toEqual([argv, 2]);
    for (const argv of [
      ['--limit', '1001'],
      ['--cursor', 'bm9uc2Vuc2U'],
      ['--cursor', '%%%'],
      ['--cursor', ''],
    ]) {
      const ran = await run('log', 'show', '--json', ...argv);
      expect(ran).toMatchObject({ code: 1, json: { error: { code: 'request.malformed' } } });
    }
  });

  it('passes over a log that is no log, and says so', async () => {
    mkdirSync(logFolder('broken'));
    writeFileSync(join(logFolder('broken'), 'log.sqlite'), 'not a database');
    const ran = await run('log', 'show', '--tail', '1');
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.out).toContain('fs-2');
    expect(ran.err).toContain('writ log verify --log broken');
    expect((await run('log', 'show', '--log', 'broken')).code).toBe(1);
    rmSync(logFolder('broken'), { recursive: true });
  });
});

describe('writ log index', () => {
  it('makes the indexes anew, for their owner alone', async () => {
    const path = join(logFolder('fs'), 'index.sqlite');
    rmSync(path, { force: true });
    const made = await run('log', 'index', '--rebuild', '--json');
    expect(made.json).toMatchObject({
      logs: [{ log: 'fs', entries: 3, kept: true }, { log: 'web' }],
      unreadable: [],
    });
    expect(existsSync(path) && statSync(path).mode & 0o777).toBe(0o600);
    expect((await run('log', 'index', '--log', 'fs')).out).toContain('3 entries');
  });
});

describe('writ log count', () => {
  it('counts permits and denials apart', async () => {
    const counted = await run('log', 'count', '--by', 'agent', '--since', '5h', '--until', '1h', '--json');
    expect(counted.json).toMatchObject({
      by: 'agent',
      counts: expect.arrayContaining([{ agent: AGENT, permits: 1, denials: 1 }]),
    });
    const codes = await run('log', 'count', '--json', '--log', 'fs');
    expect(codes.json).toEqual({
      by: 'code',
      counts: [
        { code: null, permits: 2, denials: 0 },
        { code: 'policy.forbidden', permits: 0, denials: 1 },
      ],
    });
    expect((await run('log', 'count', '--by', 'tool; DROP TABLE fold')).code).toBe(2);
  });
});
