import { parseArgs } from 'node:util';

export interface CampaignOptions {
  readonly seed: number;
  /** Kill campaign: rounds, and those after which a fresh trust domain is made. */
  readonly rounds: number;
  readonly roundsPerWorld: number;
  /** Fuzz campaign: inputs for each parser, time for all of them, and the only ones to run. */
  readonly runs: number;
  readonly seconds: number;
  readonly only: string | undefined;
  /** Fault matrix: runs side by side. */
  readonly jobs: number;
  /** Replay campaign: decisions, the time between two of them, and whether the log is left on disk. */
  readonly decisions: number;
  readonly stepMs: number;
  readonly keep: boolean;
}

/** `npm run campaign -- …` hands the same words to every campaign. */
export function campaignOptions(): CampaignOptions {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '200' },
      'rounds-per-world': { type: 'string', default: '10' },
      runs: { type: 'string', default: '1000000' },
      seconds: { type: 'string', default: '900' },
      only: { type: 'string' },
      jobs: { type: 'string', default: '2' },
      decisions: { type: 'string', default: '100000' },
      'step-ms': { type: 'string', default: '40' },
      keep: { type: 'boolean', default: false },
    },
  });
  return {
    seed: count('seed', values.seed),
    rounds: count('rounds', values.rounds),
    roundsPerWorld: count('rounds-per-world', values['rounds-per-world']),
    runs: count('runs', values.runs),
    seconds: count('seconds', values.seconds),
    only: values.only,
    jobs: count('jobs', values.jobs),
    decisions: count('decisions', values.decisions),
    stepMs: count('step-ms', values['step-ms']),
    keep: values.keep,
  };
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`--${name} is not a number from 1 up`);
  return value;
}
