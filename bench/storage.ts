/**
 * What the execution log costs, against one fdatasync'd append to a plain file in the same directory and the same run.
 * `node bench/storage.ts [directory]`. Medians of several rounds; nothing here passes or fails.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newUuidV7 } from '../src/artifact/index.ts';
import { SigningKey } from '../src/key/index.ts';
import {
  openSqliteLog,
  openSqliteLogReader,
  type SqliteLog,
  verifyLog,
  withSqliteLog,
} from '../src/storage/index.ts';
import { type AppendRequest, noteVerifier } from '../src/tlog/index.ts';

const ROUNDS = 5;
const RECEIPT_BYTES = 600;
/** A receipt with all that a decision on a tool call brings. */
const LARGE_RECEIPT_BYTES = 2_100;
const LARGE_RECEIPTS = 100_000;
const EVIDENCE_BYTES = 1_500;
const NEVER_MS = 2 ** 31 - 1;
const SECONDS_PER_ROUND = 1;
const ALONE_PER_ROUND = 300;

// As the command line has it: the writer's thread compiles nothing that was compiled before.
enableCompileCache(join(import.meta.dirname, '..', 'node_modules', '.cache', 'writ'));

const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'writ-bench-'));
const options = {
  directory: join(directory, 'log'),
  origin: 'bench.example/execution',
  signer: SigningKey.generate(),
  evidenceKey: new Uint8Array(32),
};
const receipt = new Uint8Array(RECEIPT_BYTES).fill(0x7b);

/** What the governor appends: one time-ordered key, one consumed proof, no or one new piece of evidence. */
function request(evidence: boolean, entry: Uint8Array = receipt): AppendRequest {
  const id = newUuidV7();
  return {
    entry,
    keys: [`execution:${id}`],
    consume: { id: newUuidV7(), expiresAtSeconds: Date.now() / 1_000 + 360 },
    ...(evidence && {
      evidence: [{ address: crypto.randomUUID(), bytes: new Uint8Array(EVIDENCE_BYTES) }],
    }),
  };
}

/** Takes turns between the plain file and the log, so that both meet the same machine. */
async function alone(log: SqliteLog): Promise<{ plain: number; durable: number }> {
  const file = openSync(join(directory, 'plain'), 'a');
  const plain: number[] = [];
  const durable: number[] = [];
  for (let at = 0; at < ALONE_PER_ROUND; at += 1) {
    const start = performance.now();
    writeSync(file, receipt);
    fdatasyncSync(file);
    const between = performance.now();
    await log.append(request(false));
    plain.push(between - start);
    durable.push(performance.now() - between);
  }
  closeSync(file);
  return { plain: median(plain), durable: median(durable) };
}

async function load(
  log: SqliteLog,
  inFlight: number,
  evidence: boolean,
): Promise<{ perSecond: number; cpuMicros: number }> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const end = start + SECONDS_PER_ROUND * 1_000;
  let done = 0;
  const caller = async (): Promise<void> => {
    for (; performance.now() < end; done += 1) await log.append(request(evidence));
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const perSecond = (done * 1_000) / (performance.now() - start);
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond, cpuMicros: (user + system) / done };
}

/** Recomputes a whole closed log from its entries, and fails where anything is wrong with it. */
async function verify(log: typeof options): Promise<{ size: number; perSecond: number; cpuMicros: number }> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const { verified, head } = await verifyLog(log.directory, noteVerifier(log.origin, log.signer.publicKey));
  const seconds = (performance.now() - start) / 1_000;
  if (!verified || head === undefined) throw new Error('the log does not verify');
  const { user, system } = process.cpuUsage(cpu);
  return { size: head.size, perSecond: head.size / seconds, cpuMicros: (user + system) / head.size };
}

/** A closed and published log of large receipts. */
async function buildLarge(log: typeof options): Promise<void> {
  const large = await openSqliteLog({ ...log, publishIntervalMs: NEVER_MS });
  const entry = new Uint8Array(LARGE_RECEIPT_BYTES).fill(0x7b);
  for (let built = 0; built < LARGE_RECEIPTS; built += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, () => large.append(request(false, entry))));
  }
  await large.close();
}

function microseconds(times: number, work: (at: number) => unknown): number {
  const start = performance.now();
  for (let at = 0; at < times; at += 1) work(at);
  return ((performance.now() - start) * 1_000) / times;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function print(name: string, value: number, unit: string, target = ''): void {
  const shown = value >= 1_000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
  console.log(`${name.padEnd(52)} ${shown.padStart(9)} ${unit.padEnd(9)} ${target}`);
}

try {
  const log = await openSqliteLog(options);
  const unpublished = await openSqliteLog({
    ...options,
    directory: join(directory, 'unpublished'),
    publishIntervalMs: NEVER_MS,
  });
  await load(log, 64, false);
  await load(unpublished, 64, false);
  const measure = async () => ({
    ...(await alone(log)),
    at64: await load(log, 64, false),
    at256: await load(log, 256, false),
    unpublished: await load(unpublished, 256, false),
    sealed: await load(log, 64, true),
  });
  const rounds: Awaited<ReturnType<typeof measure>>[] = [];
  while (rounds.length < ROUNDS) rounds.push(await measure());
  const of = (pick: (round: (typeof rounds)[number]) => number): number => median(rounds.map(pick));
  print(
    'one fdatasync’d append to a plain file',
    of((r) => r.plain),
    'ms',
  );
  print(
    'one durable append, alone',
    of((r) => r.durable),
    'ms',
  );
  print(
    '  against the plain file',
    of((r) => r.durable / r.plain),
    '×',
    'target ≤ 3',
  );
  print(
    'durable appends, 64 in flight',
    of((r) => r.at64.perSecond),
    '/s',
    'target ≥ 20,000',
  );
  print(
    '  against plain appends one by one',
    of((r) => (r.at64.perSecond * r.plain) / 1_000),
    '×',
  );
  print(
    '  CPU time each, all threads, tiles included',
    of((r) => r.at64.cpuMicros),
    'µs',
  );
  print(
    'durable appends, 256 in flight',
    of((r) => r.at256.perSecond),
    '/s',
    'target ≥ 50,000',
  );
  print(
    '  CPU time each, all threads, tiles included',
    of((r) => r.at256.cpuMicros),
    'µs',
  );
  print(
    '  the same without publishing anything',
    of((r) => r.unpublished.perSecond),
    '/s',
  );
  print(
    '  publishing every second costs of that rate',
    of((r) => 100 * (1 - r.at256.perSecond / r.unpublished.perSecond)),
    '%',
    'target < 15',
  );
  print(
    '  and of CPU time',
    of((r) => 100 * (1 - r.unpublished.cpuMicros / r.at256.cpuMicros)),
    '%',
  );
  print(
    'with 1.5 KB of new evidence each, 64 in flight',
    of((r) => r.sealed.perSecond),
    '/s',
  );
  print(
    '  CPU time each',
    of((r) => r.sealed.cpuMicros),
    'µs',
  );

  const { size } = log.head();
  print('entries in the log now', size, '');
  print(
    'inclusion proof',
    microseconds(200, (at) => log.inclusionProof((at * 7_919) % size, size)),
    'µs',
  );
  print(
    'consistency proof',
    microseconds(200, (at) => log.consistencyProof(1 + ((at * 7_919) % size), size)),
    'µs',
  );
  const reader = openSqliteLogReader(options.directory);
  print(
    'changed() of an outside reader',
    microseconds(20_000, () => reader.changed()),
    'µs',
  );
  reader.close();
  await log.close();
  await unpublished.close();

  const opens: number[] = [];
  const shortUses: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    const again = await openSqliteLog(options);
    opens.push(performance.now() - start);
    await again.close();
    const shortStart = performance.now();
    await withSqliteLog({ ...options, directory: join(directory, 'short') }, async (short) => {
      await short.append({ entry: receipt });
      await short.checkpoint();
    });
    shortUses.push(performance.now() - shortStart);
  }
  const largeLog = { ...options, directory: join(directory, 'large') };
  await buildLarge(largeLog);
  for (const [name, each] of [
    ['600 bytes', options],
    ['2.1 KB', largeLog],
  ] as const) {
    const { size: entries, perSecond, cpuMicros } = await verify(each);
    print(
      `verifying ${entries.toLocaleString('en')} entries of ${name}`,
      perSecond,
      '/s',
      'target ≥ 100,000',
    );
    print('  CPU time each, all threads', cpuMicros, 'µs');
  }
  print('opening this log for writing', median(opens), 'ms', 'target < 300 at 1,000,000');
  print('open, append, publish, close (as a command does)', median(shortUses), 'ms', 'target < 50');
} finally {
  rmSync(directory, { recursive: true, force: true });
}
