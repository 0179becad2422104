/**
 * Feeds every parser hostile input: `node test/campaign/fuzz.ts --runs 1000000 --seconds 900 --seed 1 [--only NAME]`.
 * A parser must answer each input with a value or a denial, never throw, and hold its property. Each gets at most its
 * share of the time; the numbers told are those really run. Exit code 1 where anything failed.
 */
import { fuzzTargets } from './fuzz-targets.ts';
import { campaignOptions } from './options.ts';
import { Random } from './random.ts';

const { seed, runs, seconds: allSeconds, only } = campaignOptions();
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Longest that one input may take; a pause of the machine counts, so it is generous. */
const MAX_INPUT_MS = 2000;
const MAX_REPORTED = 5;

const targets = (await fuzzTargets()).filter(({ name }) => only === undefined || name.includes(only));
let secondsLeft = allSeconds;
let failures = 0;
for (const [position, { name, feed }] of targets.entries()) {
  const random = new Random(seed * 1000 + position);
  const startedMs = performance.now();
  // What cheap targets leave over is for the dear ones behind them.
  const shareMs = (secondsLeft * 1000) / (targets.length - position);
  let [done, accepted, failed, slowestMs] = [0, 0, 0, 0];
  while (done < runs && performance.now() - startedMs < shareMs) {
    const state = random.state;
    const beforeMs = performance.now();
    let problem: string | undefined;
    try {
      const answer = feed(random);
      const settled = typeof answer === 'object' ? await answer : answer;
      if (settled === 'accepted') accepted += 1;
      else if (settled !== 'refused') problem = settled;
    } catch (error) {
      problem = `threw ${error instanceof Error ? error.stack : String(error)}`;
    }
    const tookMs = performance.now() - beforeMs;
    slowestMs = Math.max(slowestMs, tookMs);
    if (tookMs > MAX_INPUT_MS) problem ??= `took ${Math.round(tookMs)} ms`;
    done += 1;
    if (problem === undefined) continue;
    failed += 1;
    if (failed <= MAX_REPORTED) say(`FAILURE ${name} (state ${state}): ${problem}`);
  }
  failures += failed;
  const seconds = (performance.now() - startedMs) / 1000;
  secondsLeft -= seconds;
  say(
    JSON.stringify({
      name,
      runs: done,
      accepted,
      failed,
      seconds: Math.round(seconds),
      slowestMs: Math.round(slowestMs),
    }),
  );
}
process.exitCode = failures === 0 ? 0 : 1;
