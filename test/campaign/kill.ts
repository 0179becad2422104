/**
 * Kills the gateway at random moments and looks at what is left:
 * `node test/campaign/kill.ts --rounds 200 --seed 1 [--rounds-per-world 10]`. Exit code 1 where anything was violated.
 */
import { parseArgs } from 'node:util';
import { runKillRounds } from './kill-rounds.ts';
import { Random } from './random.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    'rounds-per-world': { type: 'string', default: '10' },
  },
});
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const startedMs = performance.now();
const seed = Number(values.seed);
let told = 0;
const report = await runKillRounds({
  rounds: Number(values.rounds),
  random: new Random(seed),
  roundsPerWorld: Number(values['rounds-per-world']),
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
