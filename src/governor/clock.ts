/** The one source of time. Wall time is integer milliseconds since the epoch; monotonic time only ever grows. */
export interface Clock {
  wallMs(): number;
  monotonicMs(): number;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
