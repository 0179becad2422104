import { newUuidV7 } from '../artifact/index.ts';
import type { Digest } from '../codec/index.ts';
import type { Action } from '../decision/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import type { Acknowledgement } from '../tlog/index.ts';
import { DecisionRecorder, type Recorded, type RecordedPermit } from './decision-recorder.ts';
import type { DeniedOutcome, Effect, EffectResult, OpenExecution, Outcome } from './execution.ts';
import { GovernanceLook } from './governance-look.ts';
import { OutcomeRecorder } from './outcome-recorder.ts';
import type { GovernorPorts } from './ports.ts';
import { RunningExecution } from './running-execution.ts';
import { StandingWatch } from './standing-watch.ts';
import type { CallerTrace } from './tracing/caller-trace.ts';

/** Decides, records, runs: the one way in for every enforcement point. */
export class Governor {
  readonly #ports: GovernorPorts;
  readonly #outcomes: OutcomeRecorder;
  readonly #decisions: DecisionRecorder;
  readonly #watch: StandingWatch;
  readonly #running = new Map<string, RunningExecution>();
  #stopped = false;

  constructor(ports: GovernorPorts) {
    this.#ports = ports;
    this.#outcomes = new OutcomeRecorder(ports.log);
    const look = new GovernanceLook(ports.governance, ports.clock);
    this.#watch = new StandingWatch(ports, look);
    this.#decisions = new DecisionRecorder(ports, look, this.#outcomes, {
      endStopped: (executionId) => this.#endStopped(executionId),
    });
  }

  /** Whether an execution that an artifact permitted has begun and not been concluded. */
  isRunning(artifact: Digest): boolean {
    return [...this.#running.values()].some(({ ground }) => ground.chain.digest === artifact);
  }

  /** How many executions have begun and not been concluded. */
  get runningCount(): number {
    return this.#running.size;
  }

  /**
   * Runs an effect if and only if the action is permitted and the permit is durable. Never rejects because of the
   * request; an effect that throws is recorded as `unknown` and its error is thrown on, unless it was stopped.
   *
   * @param caller whose trace the spans become part of.
   */
  async run<T>(asked: Action, effect: Effect<T>, caller?: CallerTrace): Promise<Outcome<T>> {
    const execution = await this.begin(asked, caller);
    if (execution.verdict === 'deny') return execution;
    const { executionId, receiptIndex, signal } = execution;
    let end: EffectResult<T>;
    try {
      end = await effect({ id: executionId, signal });
    } catch (error) {
      const denial = execution.conclude({ status: 'unknown', note: 'the effect failed without an answer' });
      if (denial === undefined) throw error;
      return { verdict: 'deny', denial, executionId, receiptIndex };
    }
    const denial = end.isLeft === true ? execution.leave() : execution.conclude(end);
    return denial === undefined
      ? { verdict: 'permit', executionId, receiptIndex, value: end.value }
      : { verdict: 'deny', denial, executionId, receiptIndex };
  }

  /**
   * The two halves of `run`, for enforcement points whose effect is not a function here: a permit that is returned is
   * durable and spent, and the effect may start. Never rejects because of the request.
   */
  async begin(asked: Action, caller?: CallerTrace): Promise<OpenExecution | DeniedOutcome> {
    // What is decided twice must be the same twice, whatever becomes of the caller's object in between.
    const action = Object.freeze({ ...asked });
    const id = newUuidV7(this.#ports.clock.wallMs());
    const { tracer, origin } = this.#ports;
    const span = tracer?.start(id, { tool: action.tool, origin }, caller);
    let recorded: Recorded;
    try {
      recorded = await this.#decisions.record(id, action);
    } catch {
      const denial = deny('internal.unexpected', 'the governor failed');
      recorded = { permit: undefined, denial, index: undefined };
    }
    if (recorded.permit === undefined) {
      const { denial, index } = recorded;
      span?.denied(denial, index);
      return { verdict: 'deny', denial, executionId: id, receiptIndex: index };
    }
    const running = new RunningExecution({ id, recorded }, this.#ports, this.#outcomes, () => {
      this.#running.delete(id);
      this.#watch.remove(running);
    });
    const withdrawn = this.#withdrawal(action, recorded);
    if (withdrawn !== undefined) {
      running.withdraw(withdrawn);
      span?.withdrawn(withdrawn, recorded.index);
      return { verdict: 'deny', denial: withdrawn, executionId: id, receiptIndex: recorded.index };
    }
    running.trace = span?.permitted(recorded.index);
    this.#running.set(id, running);
    this.#watch.add(running, recorded.snapshot);
    this.#ports.onBegun?.(recorded.ground.chain);
    return running;
  }

  /**
   * Decides everything that runs again, now rather than within milliseconds, where anything has moved: for whoever has
   * just written a governance event, or measured anew. Resolves when what no longer stands has been told to stop.
   */
  reverify(): Promise<void> {
    return this.#watch.reverify();
  }

  /** Resolves when a receipt of this log is acknowledged at a level; see `Log.acknowledged`. */
  acknowledged(receiptIndex: number, level: Acknowledgement, signal?: AbortSignal): Promise<void> {
    return this.#ports.log.acknowledged(receiptIndex, level, signal);
  }

  /** Waits until every outcome so far is durable. */
  async settle(): Promise<void> {
    await this.#outcomes.settle();
  }

  /** Stops what is running and waits until its outcomes are durable. Nothing starts any more; the log stays open. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const running of this.#running.values()) running.interrupt();
    // Effects that end at once when they are told to say themselves how they ended.
    await new Promise((resolve) => setImmediate(resolve));
    for (const running of [...this.#running.values()]) {
      running.conclude({ status: 'unknown', note: 'the governor closed before the effect ended' });
    }
    await this.settle();
  }

  /** Stops what is running and drains the log. */
  async close(): Promise<void> {
    await this.stop();
    await this.#ports.log.close();
  }

  /** Why a permit that has just become durable is not to be used after all; spends it otherwise. */
  #withdrawal(action: Action, recorded: RecordedPermit): Denial | undefined {
    if (this.#stopped) return deny('log.unavailable', 'the governor is closing');
    try {
      const { parent } = recorded;
      if (parent !== undefined && this.#running.get(parent)?.isStopped) {
        return deny('lineage.parent_denied', `execution ${parent} was terminated`);
      }
      const withdrawn = this.#decisions.withdrawal(action, recorded);
      if (withdrawn !== undefined || recorded.permit.redeem(recorded.digest)) return withdrawn;
      return deny('internal.unexpected', 'a permit was redeemed twice');
    } catch {
      return deny('internal.unexpected', 'the governor failed');
    }
  }

  #endStopped(executionId: string): boolean {
    const running = this.#running.get(executionId);
    if (running?.isStopped !== true) return false;
    running.endStopped();
    return true;
  }
}
