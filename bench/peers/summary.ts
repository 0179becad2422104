import { median } from '../measure.ts';
import type { Time } from './contestant.ts';

/** A row whose slowest round took so many times its fastest is called noisy. */
const NOISY_RANGE = 1.5;

/** Of one row over the counted rounds, microseconds per call: medians, and the range by the clock. */
export interface Summary extends Time {
  readonly fastest: number;
  readonly slowest: number;
}

export function summaryOf(times: readonly Time[]): Summary {
  const clocks = times.map(({ clock }) => clock);
  return {
    clock: median(clocks),
    processor: median(times.map(({ processor }) => processor)),
    fastest: Math.min(...clocks),
    slowest: Math.max(...clocks),
  };
}

export function isNoisy({ fastest, slowest }: Summary): boolean {
  return slowest > NOISY_RANGE * fastest;
}
