/** Shared by the benches: medians over rounds, figures as ratios within one run. Nothing here passes or fails. */

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Microseconds that one call of `work` takes, over `times` calls. */
export function microseconds(times: number, work: (at: number) => unknown): number {
  const start = performance.now();
  for (let at = 0; at < times; at += 1) work(at);
  return ((performance.now() - start) * 1000) / times;
}

/** Calls per second with so many in flight, over at least `milliseconds`. */
export async function ratePerSecond(
  inFlight: number,
  milliseconds: number,
  work: (at: number) => Promise<unknown>,
): Promise<number> {
  const start = performance.now();
  const end = start + milliseconds;
  let done = 0;
  let next = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < end) {
      await work(next++);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return (done * 1000) / (performance.now() - start);
}

/** One line: what was measured, the figure with its unit, and what it is held against. */
export function print(name: string, value: number, unit: string, target = ''): void {
  const shown = value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
  console.log(`${name.padEnd(58)} ${shown.padStart(9)} ${unit.padEnd(8)} ${target}`);
}

/** Microseconds of processor time so far, all threads of this process: on a shared machine they say more than the clock. */
export function processorMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
