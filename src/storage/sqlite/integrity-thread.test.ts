import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SigningKey } from '../../key/index.ts';
import { encodeEntryBundle, LogUnavailable, leafHashes } from '../../tlog/index.ts';
import { openSqliteLogReader, withSqliteLog } from './index.ts';
import { startIntegrityThread } from './integrity-thread.ts';

let directory: string;
/** Whatever bytes an entry may have: none, zeros, what is no UTF-8, and the most there can be. */
const odd = [Buffer.alloc(0), Buffer.alloc(3), Buffer.from([0xff, 0, 0xc3]), Buffer.alloc(0xffff, 0x80)];
const entries = Array.from({ length: 300 }, (_, at) => odd[at] ?? Buffer.from(`\0entry ${at}\0`));

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'writ-integrity-'));
  const options = { directory, origin: 'integrity.example/log', signer: SigningKey.generate() };
  await withSqliteLog(options, (log) =>
    Promise.all(entries.map((entry) => log.append({ entry, keys: [`key ${entry.length}`] }))),
  );
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function problemsInThread(folder: string): Promise<string[] | undefined> {
  const thread = startIntegrityThread(folder);
  const problems = await thread.problems;
  await thread.stop();
  return problems;
}

it('a full tile is read as what is published of it, whatever bytes its entries have', () => {
  const reader = openSqliteLogReader(directory);
  const tile = reader.readTile(0, 256);
  const first = entries.slice(0, 256);
  expect(Buffer.compare(tile?.bundle ?? new Uint8Array(), encodeEntryBundle(first))).toBe(0);
  expect(Buffer.compare(tile?.leaves ?? new Uint8Array(), leafHashes(first))).toBe(0);
  expect(reader.readTile(256, 44)?.bundle).toEqual(reader.readBundle(256, 44));
  expect(reader.readTile(256, 45)).toBeUndefined();
  expect(() => reader.readBundle(256, 45)).toThrow(LogUnavailable);
  reader.close();
});

it('a check in a thread finds what the same check finds without one', async () => {
  expect(await problemsInThread(directory)).toEqual([]);
  const file = join(directory, 'log.sqlite');
  const bytes = readFileSync(file);
  // Within the last page: rows of a table or index that are out of order or cut off.
  bytes.fill(0x11, bytes.byteLength - 4_000, bytes.byteLength - 2_000);
  writeFileSync(file, bytes);
  const reader = openSqliteLogReader(directory);
  const expected = reader.integrityProblems();
  reader.close();
  expect(expected).not.toEqual([]);
  expect(await problemsInThread(directory)).toEqual(expected);
});

it('a thread that cannot look has no answer, which is not the answer that nothing is wrong', async () => {
  expect(await problemsInThread(join(directory, 'nowhere'))).toBeUndefined();
});
