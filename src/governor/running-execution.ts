import type { VerifiedChain } from '../artifact/index.ts';
import type { JsonObject } from '../codec/index.ts';
import type { Ground } from '../decision/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type Preview, previewOf } from '../policy/index.ts';
import { serializeReceipt } from '../receipt/index.ts';
import type { RecordedPermit } from './decision-recorder.ts';
import type { ExecutionEnd, OpenExecution } from './execution.ts';
import type { GovernanceView } from './governance-follower.ts';
import type { OutcomeRecorder } from './outcome-recorder.ts';
import type { GovernorPorts } from './ports.ts';
import { type OutcomeFacts, outcomeReceiptOf } from './receipts.ts';
import type { Watched } from './standing-watch.ts';
import type { EffectTrace } from './tracing/decision-tracer.ts';

const OVERDUE = deny('scope.use_exhausted', 'ran longer than the artifact allows');

/** The longest delay a timer takes; what may run longer than 24 days is not timed. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** An effect that goes on after it was stopped does not keep its outcome out of the log for longer. */
const RECORD_STOPPED_MS = 1000;

/** How an effect ended although it was stopped. */
const ENDED_NEVERTHELESS: Readonly<Record<ExecutionEnd['status'], string>> = {
  succeeded: '; the effect succeeded all the same',
  failed: '; the effect failed',
  unknown: '',
};

type Ending = Pick<OutcomeFacts, 'status' | 'code' | 'note' | 'result' | 'preview' | 'process'>;

/** A permit that was spent: its effect may be running, until it is concluded. */
export class RunningExecution implements OpenExecution, Watched {
  readonly verdict = 'permit';
  readonly executionId: string;
  readonly receiptIndex: number;
  readonly ground: Ground;
  /** Set once the effect may start, where it is traced. */
  trace: EffectTrace | undefined;
  readonly #abort = new AbortController();
  readonly #ports: GovernorPorts;
  readonly #outcomes: OutcomeRecorder;
  readonly #recorded: RecordedPermit;
  readonly #onConcluded: () => void;
  readonly #startedMs: number;
  readonly #deadline: NodeJS.Timeout | undefined;
  #late: NodeJS.Timeout | undefined;
  #concluded = false;

  constructor(
    { id, recorded }: { readonly id: string; readonly recorded: RecordedPermit },
    ports: GovernorPorts,
    outcomes: OutcomeRecorder,
    onConcluded: () => void,
  ) {
    this.executionId = id;
    this.ground = recorded.ground;
    this.receiptIndex = recorded.index;
    this.#ports = ports;
    this.#outcomes = outcomes;
    this.#recorded = recorded;
    this.#onConcluded = onConcluded;
    this.#startedMs = ports.clock.monotonicMs();
    const bound = maxDurationOf(this.ground.chain);
    if (bound !== undefined) {
      this.#deadline = setTimeout(() => this.stop(OVERDUE), Math.min(bound * 1000, MAX_TIMER_MS));
    }
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Told to stop, and not ended yet. */
  get isStopped(): boolean {
    return !this.#concluded && isDenial(this.signal.reason);
  }

  /** Tells the enforcement point to stop the effect. The first reason counts; none does once it is concluded. */
  stop(denial: Denial): void {
    if (this.#concluded || this.signal.aborted) return;
    this.#late = setTimeout(() => this.endStopped(), RECORD_STOPPED_MS).unref();
    this.#abort.abort(denial);
  }

  /** Records an execution that was stopped as what it is, although its effect may not have ended. */
  endStopped(): void {
    this.#conclude({ status: 'unknown' }, '; the effect had not ended when this was recorded');
  }

  /** As `stop`, but nothing speaks against the execution: the governor closes. */
  interrupt(): void {
    if (!this.#concluded) this.#abort.abort();
  }

  conclude(end: ExecutionEnd): Denial | undefined {
    return this.#conclude(end, ENDED_NEVERTHELESS[end.status]);
  }

  leave(): Denial | undefined {
    if (this.#concluded || isDenial(this.signal.reason)) return this.conclude({ status: 'unknown' });
    this.#concluded = true;
    clearTimeout(this.#deadline);
    this.#onConcluded();
    this.trace?.end({ status: 'unknown' });
    return undefined;
  }

  /** Concludes an execution whose effect never started: its permit was withdrawn before. */
  withdraw(denial: Denial): void {
    this.#concluded = true;
    clearTimeout(this.#deadline);
    this.#record({ status: 'terminated', code: denial.code, note: 'withdrawn before the effect started' });
  }

  #conclude(end: ExecutionEnd, nevertheless: string): Denial | undefined {
    const reason: unknown = this.signal.reason;
    const denial = isDenial(reason) ? reason : undefined;
    if (this.#concluded) return denial;
    this.#concluded = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#late);
    this.#onConcluded();
    const { status, note, evidence, result, stopped, isInterrupted, process } = end;
    const why = denial ?? stopped;
    if (why !== undefined) {
      this.#record({
        status: 'terminated',
        code: why.code,
        note: `${why.detail}${denial === undefined ? '' : nevertheless}`,
        ...(evidence === undefined ? {} : { result: evidence }),
        ...(process === undefined ? {} : { process }),
      });
    } else {
      this.#record({
        status: isInterrupted ? 'terminated' : status,
        ...(note === undefined ? {} : { note }),
        ...(evidence === undefined ? {} : { result: evidence }),
        ...(process === undefined ? {} : { process }),
        preview: resultPreview(result, this.#recorded.look.view, this.ground.tool),
      });
    }
    return denial;
  }

  #record(facts: Ending): void {
    const { clock, origin } = this.#ports;
    const { salt, index, leaf } = this.#recorded;
    this.trace?.end(facts);
    const receipt = outcomeReceiptOf({
      ...facts,
      id: this.executionId,
      atMs: clock.wallMs(),
      log: origin,
      salt,
      decisionIndex: index,
      decisionLeafHash: leaf,
      durationMs: clock.monotonicMs() - this.#startedMs,
    });
    this.#outcomes.record({ entry: serializeReceipt(receipt), keys: [`outcome:${this.executionId}`] });
    // What was stopped is no parent to anything, from now on.
    if (facts.status === 'terminated') this.#outcomes.flush();
  }
}

/** By the rules of the policy the permit was made under. */
function resultPreview(
  result: JsonObject | undefined,
  { policy }: GovernanceView,
  tool: string,
): Preview | undefined {
  const rule = policy?.bundle.redaction?.forTool(tool);
  return result && rule && previewOf(result, rule.results);
}

/** The tightest `writ.use.maxDurationSeconds` of the chain. */
function maxDurationOf({ tokens }: VerifiedChain): number | undefined {
  const bounds = tokens.flatMap(({ writ }) => writ.use?.maxDurationSeconds ?? []);
  return bounds.length === 0 ? undefined : Math.min(...bounds);
}
