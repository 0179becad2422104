import { loadavg } from 'node:os';
import { median } from '../measure.ts';
import { type Contestant, type Time, timeBatch } from './contestant.ts';
import { type Summary, summaryOf } from './summary.ts';

/** A round is noisy when its bound took so many times the median of all rounds. */
const NOISY_ROUND = 1.25;

/** Microseconds per call; `ratio` is the median of each round's ratio to its bound. */
export interface Result extends Summary {
  readonly contestant: Contestant;
  readonly ratio: number;
}

export interface Race {
  readonly results: readonly Result[];
  /** Counted rounds in which the machine was visibly busy with something else. */
  readonly noisyRounds: number;
}

/**
 * Every contestant in every round, one after the other and each round beginning with another, so that all meet the same
 * machine. The first of them is the bound. A first round warms up and is not counted.
 */
export async function race(contestants: readonly Contestant[], rounds: number): Promise<Race> {
  const times = contestants.map((): Time[] => []);
  for (let round = 0; round <= rounds; round += 1) {
    for (let turn = 0; turn < contestants.length; turn += 1) {
      const at = (turn + round) % contestants.length;
      const contestant = contestants[at];
      if (contestant === undefined) continue;
      const time = await timeBatch(contestant);
      if (round > 0) times[at]?.push(time);
    }
    console.error(
      `${round === 0 ? 'warmed up' : `round ${round} of ${rounds}`}, load ${loadavg()[0]?.toFixed(1)}`,
    );
  }
  const bounds = (times[0] ?? []).map(({ clock }) => clock);
  const usual = median(bounds);
  return {
    results: contestants.map((contestant, at) => {
      const own = times[at] ?? [];
      const ratios = own.map(({ clock }, round) => clock / (bounds[round] ?? Number.NaN));
      return { contestant, ...summaryOf(own), ratio: median(ratios) };
    }),
    noisyRounds: bounds.filter((bound) => bound > NOISY_ROUND * usual).length,
  };
}
