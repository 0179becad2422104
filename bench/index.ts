/**
 * The receipt index over a log of many receipts: rebuilding it, each kind of query, its size; and what the issue of size means for
 * the log itself: opening it, and verifying it whole. `node bench/index.ts [entries] [folder]`; with a folder, the log made there is kept and
 * used again. Nothing here passes or fails.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDenial } from '../src/denial/index.ts';
import { SigningKey } from '../src/key/index.ts';
import {
  countReceipts,
  parseDecisionReceipt,
  queryReceipts,
  type ReceiptFilters,
  type ReceiptRequest,
} from '../src/receipt/index.ts';
import { openSqliteLog, openSqliteLogReader, SqliteReceiptIndex, verifyLog } from '../src/storage/index.ts';
import { noteVerifier } from '../src/tlog/index.ts';
import {
  ARTIFACT_FACTS,
  agentOf,
  COUNTS,
  fillLog,
  LOG_SPAN_MS,
  LOG_START_MS,
  personOf,
  randomOf,
  toolOf,
} from './index-log.ts';
import { median, print, processorMicros } from './measure.ts';

const ORIGIN = 'bench.example/execution/bench';
const ASKED = 200;
const PAGE = 50;
const HOUR_MS = 3_600_000;

const entries = Number(process.argv[2] ?? 100_000);
if (!Number.isSafeInteger(entries) || entries < 1000)
  throw new TypeError('entries: a whole number from 1000 on');
const kept = process.argv[3];
if (kept !== undefined) mkdirSync(kept, { recursive: true });
const folder = kept ?? mkdtempSync(join(tmpdir(), 'writ-bench-index-'));
const directory = join(folder, 'log');
const signer = SigningKey.fromSeed(new Uint8Array(32).fill(5));
const options = { directory, origin: ORIGIN, signer };

/** One query: milliseconds by the clock, and of processor time. */
interface Time {
  readonly clock: number;
  readonly processor: number;
}

async function timed(work: () => Promise<unknown>): Promise<Time> {
  const [start, used] = [performance.now(), processorMicros()];
  await work();
  return { clock: performance.now() - start, processor: (processorMicros() - used) / 1000 };
}

function seconds(since: number): number {
  return (performance.now() - since) / 1000;
}

async function measureOpening(): Promise<void> {
  const opens: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const start = performance.now();
    const again = await openSqliteLog(options);
    opens.push(performance.now() - start);
    await again.close();
  }
  print('opening the log for writing', median(opens), 'ms', 'target < 300 at 1,000,000');
}

async function measureVerification(): Promise<void> {
  const rates: number[] = [];
  const used: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const start = performance.now();
    const before = processorMicros();
    const { verified } = await verifyLog(directory, noteVerifier(ORIGIN, signer.publicKey));
    rates.push(entries / seconds(start));
    used.push((processorMicros() - before) / entries);
    if (!verified) throw new Error('the log does not verify');
  }
  print('verifying the log whole', median(rates), '/s', 'target ≥ 100,000');
  print('  processor time each', median(used), 'µs');
}

async function measureIndex(): Promise<void> {
  const reader = openSqliteLogReader(directory);
  const index = new SqliteReceiptIndex(directory, reader);
  const start = performance.now();
  const used = processorMicros();
  await index.rebuild();
  print('rebuilding the index', entries / seconds(start), '/s');
  print('  processor time each', (processorMicros() - used) / entries, 'µs');
  print('  which took', seconds(start), 's');
  const { size } = statSync(join(directory, 'index.sqlite'));
  print('size of the index', size / 2 ** 20, 'MiB');
  print('  for each receipt', size / entries, 'bytes');
  print('size of the log’s database', statSync(join(directory, 'log.sqlite')).size / 2 ** 20, 'MiB');
  const indexes = new Map([['bench', index]]);
  const random = randomOf(7);
  const pick = (count: number): number => Math.floor(random() * count);
  const ids = Array.from({ length: ASKED }, () => {
    const [entry = new Uint8Array()] = reader.read(pick(entries), 1);
    const receipt = parseDecisionReceipt(entry);
    return isDenial(receipt) ? '' : receipt.id;
  });
  const artifact = () => ARTIFACT_FACTS[pick(ARTIFACT_FACTS.length)];
  const code = () => COUNTS.codes[pick(COUNTS.codes.length)] ?? '';
  const agent = () => agentOf(pick(COUNTS.agents));
  const tool = () => toolOf(pick(COUNTS.tools));
  const moment = () => LOG_START_MS + pick(LOG_SPAN_MS);
  const hour = () => {
    const sinceMs = moment();
    return { sinceMs, untilMs: sinceMs + HOUR_MS };
  };
  const kinds: Readonly<Record<string, (at: number) => ReceiptFilters>> = {
    'time alone': () => ({}),
    'a random hour': hour,
    agent: () => ({ agent: agent() }),
    subject: () => ({ subject: personOf(pick(COUNTS.people)) }),
    tool: () => ({ tool: tool() }),
    code: () => ({ code: code() }),
    denials: () => ({ verdict: 'deny' }),
    'artifact: token id': () => ({ artifact: artifact()?.tokenIds.at(-1) ?? '' }),
    'artifact: digest of the chain': () => ({ artifact: artifact()?.digest ?? '' }),
    'root execution': (at) => ({ root: ids[at] ?? '' }),
    'parent execution': (at) => ({ parent: ids[at] ?? '' }),
    'agent and code': () => ({ agent: agent(), code: code() }),
    'agent, tool and denials': () => ({ agent: agent(), tool: tool(), verdict: 'deny' }),
    'subject, tool and code': () => ({ subject: personOf(pick(COUNTS.people)), tool: tool(), code: code() }),
    'agent, tool, code in a random hour': () => ({ agent: agent(), tool: tool(), code: code(), ...hour() }),
    'artifact and agent': () => ({ artifact: artifact()?.digest ?? '', agent: agent() }),
    'the two most frequent that never meet': () => ({ agent: agentOf(0), tool: toolOf(0) }),
  };
  for (const [name, filtersOf] of Object.entries(kinds)) {
    for (const order of ['newest-first', 'oldest-first'] as const) {
      const times: Time[] = [];
      for (let at = 0; at < ASKED; at += 1) {
        const request: ReceiptRequest = { filters: filtersOf(at), order, limit: PAGE };
        times.push(await timed(() => queryReceipts(indexes, request)));
      }
      printTimes(`${name}, ${order.replace('-', ' ')}`, times);
    }
  }
  await measurePaging(indexes);
  for (const by of ['code', 'tool', 'agent'] as const) {
    const times: Time[] = [];
    for (let at = 0; at < ASKED; at += 1) {
      const [sinceMs = 0, untilMs = 0] = [moment(), moment()].toSorted((a, b) => a - b);
      times.push(await timed(() => countReceipts(indexes, { by, sinceMs, untilMs, limit: 100 })));
    }
    printTimes(`counts per ${by} between two random moments`, times);
  }
  index.close();
  reader.close();
}

/** Pages in a row from the newest, each with the cursor of the one before. */
async function measurePaging(indexes: ReadonlyMap<string, SqliteReceiptIndex>): Promise<void> {
  const times: Time[] = [];
  let request: ReceiptRequest = { filters: {}, order: 'newest-first', limit: PAGE };
  for (let at = 0; at < ASKED; at += 1) {
    let page: Awaited<ReturnType<typeof queryReceipts>> | undefined;
    times.push(
      await timed(async () => {
        page = await queryReceipts(indexes, request);
      }),
    );
    if (page === undefined || isDenial(page) || page.next === undefined) break;
    request = { cursor: page.next, limit: PAGE };
  }
  printTimes('page after page', times);
}

function printTimes(name: string, times: readonly Time[]): void {
  const at = (part: number, values: readonly number[]): string =>
    (values.toSorted((a, b) => a - b)[Math.ceil(part * values.length) - 1] ?? Number.NaN)
      .toFixed(2)
      .padStart(7);
  const clock = times.map((time) => time.clock);
  const processor = times.map((time) => time.processor);
  console.log(
    `${name.padEnd(58)} p50 ${at(0.5, clock)}  p95 ${at(0.95, clock)} ms   processor p50 ${at(0.5, processor)}  p95 ${at(0.95, processor)} ms`,
  );
}

try {
  const log = await openSqliteLog({ ...options, publishIntervalMs: 10_000 });
  const missing = entries - log.head().size;
  const start = performance.now();
  await fillLog(log, ORIGIN, entries);
  await log.checkpoint();
  if (missing > 0) print('making the log, published', missing / seconds(start), '/s');
  await log.close();
  await measureOpening();
  await measureVerification();
  await measureIndex();
} finally {
  if (kept === undefined) rmSync(folder, { recursive: true, force: true });
}
