import type { JsonObject } from '../codec/index.ts';
import type { Denial } from '../denial/index.ts';
import type { ProcessReport } from '../receipt/index.ts';

/** How an effect ended. `unknown`: it may or may not have happened. */
export interface ExecutionEnd {
  readonly status: 'succeeded' | 'failed' | 'unknown';
  /** What came back, for the outcome's salted digest. */
  readonly evidence?: Uint8Array;
  /** The result a tool gave, read from that: redaction rules say what of it the outcome shows. */
  readonly result?: JsonObject | undefined;
  /** Fixed text on how it ended, without data: it stands in the log in clear. */
  readonly note?: string;
  /** Set where the enforcement point itself stopped it, at a limit: the outcome is `terminated` with this code. */
  readonly stopped?: Denial;
  /** Set where whoever started it ended it: the outcome is `terminated`, without a code. */
  readonly isInterrupted?: true;
  /** Of an effect that is a process. */
  readonly process?: ProcessReport;
}

/** What came of an effect that ran. */
export interface EffectResult<T> extends ExecutionEnd {
  readonly value: T;
  /** It goes on elsewhere: how it ends is told later, by somebody else. Nothing is recorded now. */
  readonly isLeft?: boolean;
}

export interface Execution {
  readonly id: string;
  /** Aborted (reason: the `Denial`) when the execution no longer stands: the enforcement point must stop the effect. */
  readonly signal: AbortSignal;
}

export type Effect<T> = (execution: Execution) => Promise<EffectResult<T>>;

export interface DeniedOutcome {
  readonly verdict: 'deny';
  readonly denial: Denial;
  readonly executionId: string;
  /** Absent where not even the denial could be recorded. */
  readonly receiptIndex: number | undefined;
}

export type Outcome<T> =
  | {
      readonly verdict: 'permit';
      readonly executionId: string;
      readonly receiptIndex: number;
      readonly value: T;
    }
  | DeniedOutcome;

/** A permitted execution that its enforcement point runs and concludes itself. */
export interface OpenExecution {
  readonly verdict: 'permit';
  readonly executionId: string;
  readonly receiptIndex: number;
  /**
   * Aborted when the execution no longer stands (reason: the `Denial`) or the governor closes (any other reason): the
   * enforcement point must stop the effect.
   */
  readonly signal: AbortSignal;
  /**
   * Records how it ended. The first call counts; whatever it says, an execution that was stopped is recorded as
   * `terminated`. Must be called once the effect is over, or an enforcement point that vanished is found to be gone.
   *
   * @returns the denial the execution was stopped with, if it was.
   */
  conclude(end: ExecutionEnd): Denial | undefined;
  /**
   * Gives it up without an outcome, which may be told later (`concludeLater`); until then it counts as unknown. It is not
   * watched any more. One that was stopped is recorded as `terminated`.
   */
  leave(): Denial | undefined;
}
