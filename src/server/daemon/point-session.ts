import type { Action } from '../../decision/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { Component } from '../../environment/index.ts';
import type {
  CallerTrace,
  MeasuredTool,
  OpenExecution,
  PointSession as OpenedSession,
} from '../../governor/index.ts';

/** How an execution ended, as its enforcement point says. */
export type ExecutionEnd = Parameters<OpenExecution['conclude']>[0];

/** What became of a request for an execution. */
export type Asked = Awaited<ReturnType<OpenedSession['governor']['begin']>>;

/** Executions one session may have running. */
const MAX_RUNNING = 10_000;

/**
 * One enforcement point's runtime, connected: what it was permitted and has not concluded is running. When it is gone, so
 * is who could say how that ended.
 */
export class PointSession {
  readonly id: string;
  readonly #opened: OpenedSession;
  readonly #running = new Map<string, OpenExecution>();
  readonly #onTerminated: (executionId: string, denial: Denial) => void;
  #refusal: Denial | undefined;
  #ended = false;

  /** @param onTerminated told of each execution that no longer stands, for its enforcement point to stop. */
  constructor(
    id: string,
    opened: OpenedSession,
    onTerminated: (executionId: string, denial: Denial) => void,
  ) {
    this.id = id;
    this.#opened = opened;
    this.#onTerminated = onTerminated;
  }

  get running(): number {
    return this.#running.size;
  }

  setTools(tools: readonly MeasuredTool[]): void {
    this.#opened.setTools(tools);
  }

  setComponents(components: readonly Component[], measuredAtSeconds: number, bootId?: string): void {
    this.#opened.setComponents(components, measuredAtSeconds, bootId);
  }

  /** Decides what runs again, now. */
  reverify(): Promise<void> {
    return this.#opened.governor.reverify();
  }

  /** Nothing new starts any more. What is asked for now is not decided, and so not recorded. */
  refuse(denial: Denial): void {
    this.#refusal = denial;
  }

  async ask(action: Action, caller?: CallerTrace): Promise<Asked | Denial> {
    if (this.#refusal !== undefined) return this.#refusal;
    if (this.#running.size >= MAX_RUNNING) {
      return deny('log.unavailable', `this session has ${MAX_RUNNING} executions running already`);
    }
    const asked = await this.#opened.governor.begin(action, caller);
    if (asked.verdict === 'deny') return asked;
    const { executionId, signal } = asked;
    // It ended while the permit became durable: nobody is left to perform the effect.
    if (this.#ended) {
      asked.conclude({ status: 'unknown', note: 'its enforcement point is gone' });
      return asked;
    }
    this.#running.set(executionId, asked);
    const stop = () => {
      if (isDenial(signal.reason)) this.#onTerminated(executionId, signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    return asked;
  }

  /** @returns what it was terminated with, if it was; `unknown` where no such execution runs here. */
  conclude(executionId: string, end: ExecutionEnd): Denial | undefined | 'unknown' {
    const execution = this.#running.get(executionId);
    if (execution === undefined) return 'unknown';
    this.#running.delete(executionId);
    return execution.conclude(end);
  }

  /** As `conclude`, without an outcome: that may be told later. */
  leave(executionId: string): Denial | undefined | 'unknown' {
    const execution = this.#running.get(executionId);
    if (execution === undefined) return 'unknown';
    this.#running.delete(executionId);
    return execution.leave();
  }

  isRunning(executionId: string): boolean {
    return this.#running.has(executionId);
  }

  /** Resolves when every outcome so far is durable. */
  settle(): Promise<void> {
    return this.#opened.governor.settle();
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    for (const execution of this.#running.values()) {
      execution.conclude({ status: 'unknown', note: 'its enforcement point is gone' });
    }
    this.#running.clear();
    await this.#opened.end();
  }
}
