/** What takes part in the race, and how one batch of it is timed. */
import { processorMicros } from '../measure.ts';

export interface Contestant {
  readonly name: string;
  /** Exact version of what is measured. */
  readonly version: string;
  /** What one call covers, what it leaves to others, and which bad calls it was seen to refuse before it was timed. */
  readonly does: string;
  readonly doesNot: string;
  readonly refuses: string;
  readonly inFlight: number;
  /** Calls in one batch: some tenths of a second; longer than a publication's interval where a log is published. */
  readonly batch: number;
  /** Throws unless the good call is permitted and every bad one refused. */
  check(): void | Promise<void>;
  /** Makes fresh inputs for so many calls, untimed, and returns the call. It throws where a call is not permitted. */
  prepare(count: number): (at: number) => unknown;
  /** Timed with the batch: waits for what the calls left to do. */
  finish?(): Promise<void>;
  /** After the batch, untimed: waits for what goes on in the background, which would disturb the next contestant. */
  rest?(): Promise<void>;
  /** Microseconds of processor time so far, where the work is done by other processes. */
  processorMicros?(): number;
  close?(): void | Promise<void>;
}

/** Microseconds per call. */
export interface Time {
  readonly clock: number;
  readonly processor: number;
}

/** What of a contestant is timed. */
export type Work = Pick<Contestant, 'inFlight' | 'batch' | 'prepare' | 'finish' | 'rest' | 'processorMicros'>;

export async function timeBatch(contestant: Work): Promise<Time> {
  const { batch, inFlight } = contestant;
  const call = contestant.prepare(batch);
  const used = contestant.processorMicros ?? processorMicros;
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < batch) {
      const pending = call(next++);
      // A synchronous call does not pay for a turn of the event loop.
      if (pending instanceof Promise) await pending;
    }
  };
  const usedBefore = used();
  const start = performance.now();
  await Promise.all(Array.from({ length: inFlight }, caller));
  await contestant.finish?.();
  const clock = ((performance.now() - start) * 1000) / batch;
  const processor = (used() - usedBefore) / batch;
  await contestant.rest?.();
  return { clock, processor };
}

/**
 * Throws unless `work` is refused: it throws, rejects, or comes to `false`. A `TypeError` is a mistake in how we call it,
 * no refusal. With `code`, what is thrown must name it: refusing for another reason does not count.
 */
export async function mustRefuse(what: string, work: () => unknown, code?: string): Promise<void> {
  let permitted: unknown;
  try {
    permitted = await work();
  } catch (error) {
    if (error instanceof TypeError) throw error;
    const reason = error instanceof Error ? error.message : JSON.stringify(error);
    if (code !== undefined && !reason.includes(code)) throw new Error(`refuses ${what} with ${reason}`);
    return;
  }
  if (permitted !== false) throw new Error(`permits ${what}`);
}

export function mustPermit(permitted: boolean): void {
  if (!permitted) throw new Error('refuses the good call');
}
