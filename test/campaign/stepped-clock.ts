import type { Clock } from '../../src/governor/index.ts';

/** A morning in November, so that time runs into windows, minutes and expiries. */
export const START_MS = Date.UTC(2026, 10, 2, 9, 30);

/** A clock that moves only when it is told to. */
export class SteppedClock implements Clock {
  #nowMs = START_MS;
  wallMs = (): number => Math.floor(this.#nowMs);
  monotonicMs = (): number => this.#nowMs - START_MS;
  advance(ms: number): void {
    this.#nowMs += ms;
  }
}
