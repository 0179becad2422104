/**
 * Decisions at a steady rate, and what the daemon holds meanwhile:
 * `node test/campaign/soak.ts --minutes 30 --rate 800 [--sample-seconds 10] [--keep]`. Prints a JSON document; exit code 1
 * where anything was answered wrongly or lost, or memory grew.
 *
 * A line is fitted through the samples of the second half. Memory counts as flat where that line rises by less than
 * `FLAT_SHARE` of what was held at half time; the first half is for caches, the JIT and the page cache of SQLite to fill.
 */
import { parseArgs } from 'node:util';
import { connectGovernor, revoke } from '../../src/governor/index.ts';
import { must, nowSeconds, TestDomain } from '../support/trust-domain.ts';
import { Acknowledged, auditLoad } from './load-audit.ts';
import { LoadDaemon, rounded, type Sample } from './load-daemon.ts';
import { fixed, progress, report } from './load-report.ts';
import { LOAD_POLICY, Traffic } from './load-traffic.ts';

/** Of what is held at half time, by which it may grow from there to the end. */
const FLAT_SHARE = 0.05;
/** Bigger than the noise of a garbage-collected heap. */
const FLAT_MIB = 16;
/** Shorter runs are all warm-up: their memory is told and not judged. */
const MIN_JUDGED_MINUTES = 10;
/** The governance log moves now and then, as in life. */
const REVOCATION_EVERY_MS = 5000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    rate: { type: 'string', default: '500' },
    'sample-seconds': { type: 'string', default: '10' },
    short: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const minutes = values.short ? 1 : Number(values.minutes);
const rate = Number(values.rate);
const everyMs = Number(values['sample-seconds']) * 1000;
if (!(minutes > 0 && rate >= 1 && everyMs >= 100)) throw new TypeError('--minutes, --rate: numbers above 0');

const domain = await TestDomain.create(LOAD_POLICY);
const daemon = await LoadDaemon.start(domain.home);
const samples: { readonly seconds: number; readonly calls: number; readonly sample: Sample }[] = [];
try {
  const connected = must(await connectGovernor({ home: domain.home, name: 'soak', components: [] }));
  if (connected === undefined) throw new Error('no daemon');
  const acknowledged = new Acknowledged();
  const traffic = new Traffic(domain, connected, acknowledged);
  const startedMs = performance.now();
  const secondsIn = (): number => (performance.now() - startedMs) / 1000;
  let sampling: Promise<void> = Promise.resolve();
  let half: Sample | undefined;
  const take = async () => {
    const isHalf = half === undefined && secondsIn() >= minutes * 30;
    const sample = await daemon.sample(isHalf);
    if (isHalf) half = sample;
    samples.push({ seconds: Math.round(secondsIn()), calls: traffic.calls, sample });
    const { p50, p99, max } = traffic.takeLatencies();
    progress({
      seconds: Math.round(secondsIn()),
      calls: traffic.calls,
      p50,
      p99,
      max,
      ...rounded(sample),
    });
  };
  const sampler = setInterval(() => {
    sampling = sampling.then(take);
  }, everyMs);
  let revocations = 0;
  const revoker = setInterval(() => {
    revocations += 1;
    const by = { actor: 'soak', atSeconds: nowSeconds() };
    void revoke(domain.home, { handle: 'token', value: `unrelated-${revocations}` }, by);
  }, REVOCATION_EVERY_MS);
  await traffic.atRate(rate, minutes * 60_000);
  const seconds = secondsIn();
  clearInterval(sampler);
  clearInterval(revoker);
  await sampling;
  const end = await daemon.sample(true);
  await connected.close();
  const closedMs = await daemon.stop();
  const auditMs = performance.now();
  const audit = auditLoad(domain.home, 'soak', acknowledged);

  const second = samples.filter((one) => one.seconds >= seconds / 2);
  const grown = (pick: (sample: Sample) => number): number =>
    slope(second.map((one) => [one.seconds, pick(one.sample)] as const)) * (seconds / 2);
  const rssGrowth = grown(({ rss }) => rss);
  const halfRss = second[0]?.sample.rss ?? 0;
  const filesGrowth = grown(({ files }) => files);
  const violations = [...audit.violations, ...daemon.errors];
  const isJudged = minutes >= MIN_JUDGED_MINUTES;
  if (isJudged && rssGrowth > Math.max(FLAT_MIB, halfRss * FLAT_SHARE))
    violations.push('resident memory is not flat');
  if (half !== undefined && end.heap - half.heap > FLAT_MIB) violations.push('the heap is not flat');
  if (filesGrowth > 5) violations.push('open files are not flat');
  if (acknowledged.unrecorded.size > 0) violations.push('answers named no receipt');
  report(
    {
      minutes,
      rate,
      seconds: Math.round(seconds),
      calls: traffic.calls,
      perSecond: Math.round(traffic.calls / seconds),
      skipped: traffic.skipped,
      codes: Object.fromEntries(acknowledged.codes),
      unrecorded: Object.fromEntries(acknowledged.unrecorded),
      revocations,
      memory: {
        isJudged,
        rssAtHalfTimeMiB: fixed(halfRss),
        rssAtEndMiB: fixed(samples.at(-1)?.sample.rss ?? 0),
        rssMaxMiB: fixed(Math.max(...samples.map(({ sample }) => sample.rss))),
        rssGrowthSecondHalfMiB: fixed(rssGrowth),
        rssSlopeMiBPerHour: fixed((rssGrowth / (seconds / 2)) * 3600),
        heapCollectedAtHalfTimeMiB: fixed(half?.heap ?? 0),
        heapCollectedAtEndMiB: fixed(end.heap),
        files: [second[0]?.sample.files, end.files],
        handles: [second[0]?.sample.handles, end.handles],
        threads: [second[0]?.sample.threads, end.threads],
      },
      closedMs: Math.round(closedMs),
      audit: { ...audit, violations: undefined },
      auditSeconds: Math.round((performance.now() - auditMs) / 1000),
    },
    violations,
  );
} finally {
  await daemon.stop();
  if (values.keep) progress({ folder: domain.folder });
  else domain.dispose();
}

/** Least squares: by how much y rises with x. */
function slope(points: readonly (readonly [number, number])[]): number {
  const count = points.length;
  if (count < 2) return 0;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return over / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}
