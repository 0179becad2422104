import { type Clock, systemClock } from '../../src/governor/index.ts';

/** The time that a story plays at. */
export interface StoryClock extends Clock {
  advance(seconds: number): void;
}

export function runningClock(): StoryClock {
  return {
    ...systemClock,
    advance() {
      throw new TypeError('this story plays in real time');
    },
  };
}

export function frozenClock(startMs: number): StoryClock {
  let passedMs = 0;
  return {
    wallMs: () => startMs + passedMs,
    monotonicMs: () => passedMs,
    advance(seconds) {
      passedMs += seconds * 1000;
    },
  };
}
