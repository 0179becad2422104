import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isDenial } from '../../denial/index.ts';
import { SigningKey } from '../../key/index.ts';
import {
  countReceipts,
  IndexDamaged,
  queryReceipts,
  type ReceiptFilters,
  serializeReceipt,
} from '../../receipt/index.ts';
import { openSqliteLogReader, type SqliteLog, SqliteReceiptIndex, withSqliteLog } from './index.ts';
import type { SqliteLogReader } from './log-reader.ts';
import { type ReceiptDraft, receiptOf } from './receipt-log.test-support.ts';

const ORIGIN = 'index.example/execution/fs';
const signer = SigningKey.fromSeed(new Uint8Array(32).fill(3));

let directory: string;
let reader: SqliteLogReader | undefined;
let index: SqliteReceiptIndex;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-index-'));
});
afterEach(() => {
  index?.close();
  reader?.close();
  reader = undefined;
  rmSync(directory, { recursive: true, force: true });
});

async function append(...drafts: readonly (ReceiptDraft | string)[]): Promise<void> {
  await withSqliteLog({ directory, origin: ORIGIN, signer }, async (log: SqliteLog) => {
    const entries = drafts.map((draft) =>
      typeof draft === 'string' ? new TextEncoder().encode(draft) : serializeReceipt(receiptOf(draft)),
    );
    await Promise.all(entries.map((entry) => log.append({ entry })));
  });
}

function open(): ReadonlyMap<string, SqliteReceiptIndex> {
  reader ??= openSqliteLogReader(directory);
  index = new SqliteReceiptIndex(directory, reader);
  return new Map([['fs', index]]);
}

async function ids(filters: ReceiptFilters): Promise<readonly string[]> {
  const page = await queryReceipts(open(), { filters, order: 'oldest-first', limit: 100 });
  index.close();
  if (isDenial(page)) throw new Error(page.detail);
  return page.found.map(({ receipt }) => receipt.id);
}

const file = () => join(directory, 'index.sqlite');
function tamper(sql: string): void {
  const db = new DatabaseSync(file());
  db.exec(sql);
  db.close();
}
const TWO: readonly ReceiptDraft[] = [
  { id: 'a', atMs: 1000, agent: 'spiffe://x/agent/a', tokens: ['t1'], initiator: 'spiffe://x/user/u' },
  {
    id: 'b',
    atMs: 2000,
    tool: 'mcp://fs/tools/b',
    code: 'scope.tool_not_granted',
    tokens: ['t1', 't2'],
    owner: 'o',
  },
];

describe('the index of a log', () => {
  it('finds decisions by each thing a receipt says, and by nothing it does not', async () => {
    await append(
      ...TWO,
      { id: 'c', atMs: 3000, root: 'a', parent: 'a' },
      'no receipt at all',
      '{"type":"writ/outcome@v1"}',
    );
    const cases: readonly [ReceiptFilters, readonly string[]][] = [
      [{}, ['a', 'b', 'c']],
      [{ agent: 'spiffe://x/agent/a' }, ['a']],
      [{ agent: 'holder of t2' }, ['b']],
      [{ subject: 'spiffe://x/user/u' }, ['a']],
      [{ subject: 'o' }, ['b']],
      [{ tool: 'mcp://fs/tools/b' }, ['b']],
      [{ code: 'scope.tool_not_granted' }, ['b']],
      [{ verdict: 'permit' }, ['a', 'c']],
      [{ verdict: 'deny' }, ['b']],
      [{ artifact: 't1' }, ['a', 'b']],
      [{ artifact: 't2' }, ['b']],
      [{ artifact: receiptOf({ id: '', atMs: 0, tokens: ['t1'] }).artifact?.digest ?? '' }, ['a']],
      [{ root: 'a' }, ['a', 'c']],
      [{ root: 'c' }, []],
      [{ parent: 'a' }, ['c']],
      [{ sinceMs: 1000, untilMs: 2000 }, ['a']],
      [{ sinceMs: 1001 }, ['b', 'c']],
      [{ artifact: 't1', verdict: 'deny', root: 'b' }, ['b']],
      [{ artifact: 't1', root: 'c' }, []],
      [{ agent: 't1' }, []],
      [{ parent: 'a', subject: 'o' }, []],
    ];
    for (const [filters, found] of cases) expect([filters, await ids(filters)]).toEqual([filters, found]);
  });

  it('takes every value as it stands: wildcards, quotes, NUL and look-alikes match themselves alone', async () => {
    const values = [
      '%',
      '_',
      '*',
      "' OR 1=1 --",
      'a\0b',
      'a',
      'é',
      'e\u0301',
      'É',
      '\u202Ea',
      '😀',
      '\uFFFD',
      '\0a',
    ];
    await append(...values.map((tool, at) => ({ id: tool, atMs: at, tool, root: tool, parent: tool })));
    for (const value of values) {
      expect(await ids({ tool: value })).toEqual([value]);
      expect(await ids({ root: value })).toEqual([value]);
      expect(await ids({ parent: value })).toEqual([value]);
    }
    const page = await queryReceipts(open(), {
      filters: { tool: '\uD800' },
      order: 'oldest-first',
      limit: 1,
    });
    expect(page).toMatchObject({ code: 'request.malformed' });
  });

  it('takes in only what is new, also what others have taken in meanwhile', async () => {
    await append(...TWO);
    open();
    const seen: number[] = [];
    await index.catchUp(({ entries }) => seen.push(entries));
    await index.catchUp(({ entries }) => seen.push(entries));
    await append({ id: 'c', atMs: 3000 });
    const other = new SqliteReceiptIndex(directory, openSqliteLogReader(directory));
    expect(await Promise.all([index.catchUp(), other.catchUp()])).toEqual([3, 3]);
    await index.catchUp(({ entries }) => seen.push(entries));
    expect(seen).toEqual([2]);
    other.close();
    expect(await ids({})).toEqual(['a', 'b', 'c']);
  });

  it('is for its owner alone', async () => {
    await append(...TWO);
    writeFileSync(file(), '');
    chmodSync(file(), 0o666);
    await ids({});
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  it('counts decisions per value, whatever the stretch of time is cut into', async () => {
    const DAY = 86_400_000;
    const times = [-DAY - 1, -1, 0, 59_999, 60_000, 3_599_999, DAY - 1, DAY, 3 * DAY + 61_001];
    await append(...times.map((atMs, at) => ({ id: `${at}`, atMs, tool: `t${at % 2}` })), {
      id: 'd',
      atMs: 60_000,
      tool: 't0',
      code: 'policy.forbidden',
    });
    const indexes = open();
    const ends = [...times, ...times.map((at) => at + 1)];
    for (const sinceMs of ends) {
      for (const untilMs of ends) {
        const inside = times.flatMap((atMs, at) => (atMs >= sinceMs && atMs < untilMs ? [at % 2] : []));
        const denials = 60_000 >= sinceMs && 60_000 < untilMs ? 1 : 0;
        const counts = await countReceipts(indexes, { by: 'tool', sinceMs, untilMs, limit: 9 });
        const of = (value: string) =>
          counts.find((count) => count.value === value) ?? { permits: 0, denials: 0 };
        expect(of('t0')).toMatchObject({ permits: inside.filter((tool) => tool === 0).length, denials });
        expect(of('t1')).toMatchObject({ permits: inside.filter((tool) => tool === 1).length, denials: 0 });
      }
    }
    expect(await countReceipts(indexes, { by: 'code', limit: 9 })).toEqual([
      { value: '', permits: 9, denials: 0 },
      { value: 'policy.forbidden', permits: 0, denials: 1 },
    ]);
    expect(await countReceipts(indexes, { by: 'tool', limit: 1 })).toEqual([
      { value: 't0', permits: 5, denials: 1 },
    ]);
  });
});

describe('an index that is not this log’s', () => {
  const damages: Readonly<Record<string, () => void>> = {
    'another log’s root': () => tamper("UPDATE fold SET root = x'00'"),
    'another origin': () => tamper("UPDATE fold SET origin = 'other'"),
    'more than the log has': () => tamper('UPDATE fold SET size = 99'),
    'a negative size': () => tamper('UPDATE fold SET size = -1'),
    'a size beyond numbers': () => tamper('UPDATE fold SET size = 9223372036854775807'),
    'no fold at all': () => tamper('DELETE FROM fold'),
    'a trigger': () => tamper('CREATE TRIGGER t AFTER INSERT ON decision BEGIN DELETE FROM decision; END'),
    'a view for a table': () => tamper('DROP TABLE kin; CREATE VIEW kin AS SELECT 1 AS role'),
    'another version': () => tamper('PRAGMA user_version = 99'),
    'no database': () => writeFileSync(file(), 'garbage '.repeat(1000)),
    'an empty file': () => writeFileSync(file(), ''),
    'nothing there': () => rmSync(file()),
    'a torn file': () => writeFileSync(file(), readFileSync(file()).subarray(0, 9000)),
    'overwritten pages': () => {
      const bytes = readFileSync(file());
      writeFileSync(file(), bytes.fill(0xff, 4096));
    },
    'a journal of something else': () => writeFileSync(`${file()}-journal`, 'x'.repeat(5000)),
    'write-ahead mode': () => tamper('PRAGMA journal_mode = WAL'),
    'a link to elsewhere': () => {
      rmSync(file());
      symlinkSync(join(directory, 'log.sqlite'), file());
    },
  };
  for (const [name, damage] of Object.entries(damages)) {
    it(`is made anew: ${name}`, async () => {
      await append(...TWO);
      await ids({});
      damage();
      expect(await ids({})).toEqual(['a', 'b']);
      await append({ id: 'c', atMs: 3000, tool: 'mcp://fs/tools/b' });
      expect(await ids({ tool: 'mcp://fs/tools/b' })).toEqual(['b', 'c']);
      expect(index.kind ?? 'kept').toBe('kept');
      expect(statSync(file()).isFile()).toBe(true);
    });
  }

  it('is made anew for a log that was put in the place of another', async () => {
    await append(...TWO);
    await ids({});
    const kept = readFileSync(file());
    rmSync(directory, { recursive: true });
    reader?.close();
    reader = undefined;
    mkdirSync(directory, { mode: 0o700 });
    await append({ id: 'x', atMs: 1 }, { id: 'y', atMs: 2 }, { id: 'z', atMs: 3 });
    writeFileSync(file(), kept);
    expect(await ids({})).toEqual(['x', 'y', 'z']);
  });

  const lies: Readonly<Record<string, string>> = {
    'a decision under another tool': 'UPDATE decision SET tool = (SELECT tool FROM decision WHERE idx = 1)',
    'a decision at another time': 'UPDATE decision SET at = at + 5',
    'a decision that is none':
      'INSERT INTO decision SELECT 7, at, code, agent, tool FROM decision WHERE idx = 1',
    'a decision before the first':
      'INSERT INTO decision SELECT -3, at, code, agent, tool FROM decision WHERE idx = 1',
    'a decision beyond numbers':
      'INSERT INTO decision SELECT 9223372036854775807, at, code, agent, tool FROM decision WHERE idx = 1',
  };
  for (const [name, sql] of Object.entries(lies)) {
    it(`tells nothing that the log does not say: ${name}`, async () => {
      await append(...TWO);
      await ids({});
      tamper(sql);
      expect(await ids({ tool: 'mcp://fs/tools/b' })).toEqual(['b']);
      expect(await ids({})).toEqual(['a', 'b']);
    });
  }

  it('never gives a receipt that does not match, whatever positions it is asked for', async () => {
    await append(...TWO, 'no receipt');
    open();
    await index.catchUp();
    expect(() => index.read([{ atMs: 2000, index: 1 }], { agent: 'spiffe://x/agent/a' })).toThrow(
      IndexDamaged,
    );
    expect(() => index.read([{ atMs: 1000, index: 1 }], {})).toThrow(IndexDamaged);
    for (const at of [-1, 2, 3, 0.5, Number.NaN, 2 ** 60]) {
      expect(() => index.read([{ atMs: 1000, index: at }], {})).toThrow(IndexDamaged);
    }
  });

  it('can hide a decision, until it is rebuilt', async () => {
    await append(...TWO);
    await ids({});
    tamper('DELETE FROM decision WHERE idx = 1');
    expect(await ids({})).toEqual(['a']);
    open();
    await index.rebuild();
    expect(await ids({})).toEqual(['a', 'b']);
  });

  it('takes in the whole log where rows stand beyond what it says it has', async () => {
    await append(...TWO);
    await ids({});
    tamper('INSERT INTO decision SELECT 2, 1, 0, 0, 0');
    await append({ id: 'c', atMs: 3000 });
    expect(await ids({})).toEqual(['a', 'b', 'c']);
  });
});

describe('a folder that cannot be written', () => {
  it('is asked through an index that is gone afterwards', async () => {
    await append(...TWO);
    mkdirSync(join(file(), 'in the way'), { recursive: true });
    expect(await ids({ artifact: 't2' })).toEqual(['b']);
    open();
    await index.catchUp();
    expect(index.kind).toBe('temporary');
    await append({ id: 'c', atMs: 3000 });
    expect(await index.catchUp()).toBe(3);
    expect(await index.rebuild()).toBe(3);
  });
});
