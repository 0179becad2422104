/**
 * Writ against its peers on the same work, and its cost against the size of its log, in one run.
 * `npm run bench:peers -- [--rounds 7] [--max 7] [--write]`. Peers are installed into a scratch folder, which is removed.
 * Figures pass or fail nothing; a peer that permits a bad call is not timed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { barChart } from './bar-chart.ts';
import { gatherContestants } from './contestants.ts';
import { writeDocuments } from './document.ts';
import { measureSizes } from './log-size.ts';
import { race } from './race.ts';
import { headlines, loadNow, report } from './report.ts';
import { sizeChart } from './size-chart.ts';

const MIN_EXPONENT = 3;
const MAX_EXPONENT = 7;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    max: { type: 'string', default: '7' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const max = Number(values.max);
if (!Number.isSafeInteger(rounds) || rounds < 1) throw new TypeError('--rounds: a whole number from 1 on');
if (!Number.isSafeInteger(max) || max < MIN_EXPONENT || max > MAX_EXPONENT)
  throw new TypeError(`--max: logs grow to 10 to this power, from ${MIN_EXPONENT} to ${MAX_EXPONENT}`);

const scratch = mkdtempSync(join(tmpdir(), 'writ-peers-'));
// Whatever makes a folder of its own makes it in there, so that one removal is enough, however this ends.
process.env.TMPDIR = scratch;
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

const loads = [loadNow()];
const contestants = await gatherContestants(scratch);
const raced = await race(contestants.fit, rounds).finally(() => contestants.close());
loads.push(loadNow());
const sizes = Array.from({ length: max - MIN_EXPONENT + 1 }, (_, at) => 10 ** (MIN_EXPONENT + at));
const sizeResults = await measureSizes(sizes, rounds);
loads.push(loadNow());

const run = { rounds, loads, race: raced, absent: contestants.absent, sizes: sizeResults };
const measured = report(run);
console.log(measured);
if (values.write) {
  writeDocuments({
    measured,
    headlines: headlines(run),
    bars: barChart(raced.results),
    line: sizeChart(sizeResults),
  });
}
