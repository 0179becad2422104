/**
 * Makes a log of random decisions and derives all of them again:
 * `node test/campaign/replay.ts --decisions 100000 --seed 1 [--step-ms 40] [--keep]`. Exit code 1 where anything differs.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DecisionWorld } from './decision-world.ts';
import { campaignOptions } from './options.ts';
import { Random } from './random.ts';

const { seed, decisions, stepMs, keep } = campaignOptions();
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const startedMs = performance.now();
const governanceEvery = Math.max(400, Math.floor(decisions / 250));
const world = await DecisionWorld.create({ random: new Random(seed), stepMs, governanceEvery });
let told = 0;
await world.decide(decisions, 128, (done) => {
  if (done - told < 10_000) return;
  told = done;
  say(`${done} decisions`);
});
await world.close();
const madeSeconds = Math.round((performance.now() - startedMs) / 1000);
say(
  JSON.stringify({
    seed,
    decisions,
    stepMs,
    madeSeconds,
    codes: Object.fromEntries([...world.codes].sort()),
  }),
);

const child = fileURLToPath(new URL('replay-child.ts', import.meta.url));
const replayed = spawnSync(
  process.execPath,
  [child, 'log', 'replay', '--home', world.home.folder, '--json'],
  { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
);
say(replayed.stdout.trim());
say(replayed.stderr.trim());
if (keep) say(world.home.folder);
else world.dispose();
process.exitCode = replayed.status ?? 1;
