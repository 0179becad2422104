/**
 * Kills the gateway at random moments and looks at what is left:
 * `node test/campaign/kill.ts --rounds 200 --seed 1 [--rounds-per-world 10]`. Exit code 1 where anything was violated.
 */
import { runKillRounds } from './kill-rounds.ts';
import { campaignOptions } from './options.ts';
import { Random } from './random.ts';

const { seed, rounds, roundsPerWorld } = campaignOptions();
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const startedMs = performance.now();
let told = 0;
const report = await runKillRounds({
  rounds,
  random: new Random(seed),
  roundsPerWorld,
  onRound: (round, { results, denied, replays, violations }) => {
    for (const violation of violations.slice(told)) say(`VIOLATION ${violation}`);
    told = violations.length;
    if (round % 10 === 0) {
      say(
        `${round} rounds: ${results} results, ${denied} denials heard, ${replays} replays, ${violations.length} violations`,
      );
    }
  },
});
const seconds = Math.round((performance.now() - startedMs) / 1000);
const { violations, ...numbers } = report;
say(JSON.stringify({ seed, seconds, ...numbers, violations: violations.length }));
process.exitCode = violations.length === 0 ? 0 : 1;
