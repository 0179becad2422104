import type { Presenter } from '../../artifact/index.ts';
import { type Digest, isJsonObject, type JsonObject } from '../../codec/index.ts';
import type { Action } from '../../decision/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { EffectResult, Execution, ExecutionEnd, Governor, Outcome } from '../../governor/index.ts';
import { currentExecution, runAsPartOf } from './current-execution.ts';
import { type GovernedTool, governedTool, type ToolDescription } from './governed-tool.ts';
import { evidenceOfError, evidenceOfResult } from './result-evidence.ts';
import { copyJson } from './strict-copy.ts';
import { WritDenied } from './writ-denied.ts';

/** What an enforcement point in process stands on. */
export interface WritPorts {
  readonly governor: Pick<Governor, 'run' | 'settle'>;
  /** Where there is nothing to present, why: every call is then denied with that, on record. */
  readonly presenter: Presenter | Denial;
  /** Folder of the trust domain. */
  readonly home: string;
  /** Name of the program, as its tool identifiers have it, and their scheme. */
  readonly name: string;
  readonly scheme: string;
  /** Of a tool's definition, as it was pinned when policy was published. */
  readonly pinnedDigest: (id: string) => Digest | undefined;
  /** Told of all tools whenever one is added: they join the measurement. */
  readonly onTools: (tools: readonly GovernedTool[]) => void;
  /** As `OpenedGovernor` has it. */
  readonly concludeLater: (executionId: string, end: ExecutionEnd) => Promise<Denial | undefined>;
  readonly close: () => Promise<void>;
}

/** What a governed function is called with besides its arguments. */
export interface CallContext {
  /** Aborted when the caller gives up, and when the execution no longer stands: stop then. */
  readonly signal: AbortSignal;
  readonly execution: { readonly id: string };
}

export interface CallOptions {
  /** The caller's: aborting it stops waiting for the call. */
  readonly signal?: AbortSignal | undefined;
  /** The execution this call follows from; null: none. Default: the one that the calling code is part of. */
  readonly parent?: string | null | undefined;
}

/** The code that a permit lets run. Its arguments are frozen, through and through: the copy that was decided on. */
export type GovernedCode<T> = (args: JsonObject, context: CallContext) => T | Promise<T>;

/** How code ended. */
type Ending<T> =
  | { readonly kind: 'returned'; readonly value: T }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'stopped'; readonly reason: unknown };

const STOPPED = { status: 'unknown', note: 'stopped: its authority ended' } as const;
const CANCELLED = { status: 'unknown', note: 'cancelled by the caller' } as const;

/**
 * An enforcement point inside a program: functions that are called through it run if and only if the trust domain permits
 * that very call, and the permit is durable. Made by `openWrit`.
 *
 * A weaker place to stand than a process of its own: code of the same process can call the function it wraps, or read
 * the agent's key (docs/sdk.md).
 */
export class Writ {
  readonly #ports: WritPorts;
  readonly #tools = new Map<string, GovernedTool>();

  constructor(ports: WritPorts) {
    this.#ports = ports;
  }

  get name(): string {
    return this.#ports.name;
  }

  /** Makes a tool known. Throws `TypeError` where there is another one of that name. */
  add(description: ToolDescription): GovernedTool {
    const { scheme, name, onTools } = this.#ports;
    const tool = governedTool(scheme, name, description);
    const known = this.#tools.get(tool.id);
    if (known !== undefined && known.digest !== tool.digest) {
      throw new TypeError(`there is another tool named ${description.name}`);
    }
    this.#tools.set(tool.id, tool);
    if (known === undefined) onTools([...this.#tools.values()]);
    return tool;
  }

  /**
   * A tool that runs where nobody can look at its definition: what is pinned is taken for it. One that is not pinned is
   * permitted by no policy.
   */
  addUnseen(name: string): GovernedTool {
    const { scheme, name: server, pinnedDigest } = this.#ports;
    const unknown = governedTool(scheme, server, { name, inputSchema: {} });
    return { ...unknown, digest: pinnedDigest(unknown.id) ?? unknown.digest };
  }

  /** Every tool so far, as `writ sdk adopt` takes them into policy. */
  manifest(): { readonly server: string; readonly tools: readonly { id: string; definition: JsonObject }[] } {
    const tools = [...this.#tools.values()].map(({ id, definition }) => ({ id, definition }));
    return { server: this.#ports.name, tools };
  }

  /**
   * Runs code for one call of a tool. Rejects with {@link WritDenied} where it is denied or stopped, with the code's own
   * error where that throws, and with the caller's reason where the caller gives up.
   *
   * @param args strict JSON: an object without `undefined`, accessors, classes and the like, else `request.malformed`; or
   *   the denial of a parser, which is recorded as the call's.
   */
  async call<T>(
    tool: GovernedTool,
    args: unknown,
    code: GovernedCode<T>,
    options: CallOptions = {},
  ): Promise<T> {
    const { signal } = options;
    // Nothing was asked for yet.
    signal?.throwIfAborted();
    const action = this.#actionOf(tool, args, options);
    let wasStarted = false;
    const outcome: Outcome<Ending<T>> = await this.#ports.governor.run(action, (execution) => {
      wasStarted = true;
      return this.#perform(code, action.args, execution, signal);
    });
    if (outcome.verdict === 'deny') {
      throw new WritDenied(outcome.denial, { executionId: outcome.executionId, wasStarted });
    }
    const { value: ending, executionId } = outcome;
    switch (ending.kind) {
      case 'returned':
        return ending.value;
      case 'threw':
        throw ending.error;
      case 'stopped':
        throw isDenial(ending.reason)
          ? new WritDenied(ending.reason, { executionId, wasStarted: true })
          : new DOMException('The governor closed; whether the call took effect is unknown.', 'AbortError');
    }
  }

  /**
   * Decides on a call that runs elsewhere, once this says so. What becomes of it is not seen: its outcome is `unknown`.
   *
   * @param options.note fixed text on where it runs.
   * @param options.isLeft its outcome will be told later: none is recorded now, and it counts as unknown until then.
   * @returns the id of the execution. Rejects with {@link WritDenied} where it is denied.
   */
  async permit(
    tool: GovernedTool,
    args: unknown,
    options: CallOptions & { readonly note: string; readonly isLeft?: boolean },
  ): Promise<string> {
    const { note, isLeft = false } = options;
    const outcome = await this.#ports.governor.run(this.#actionOf(tool, args, options), async () => ({
      status: 'unknown',
      value: undefined,
      note,
      isLeft,
    }));
    if (outcome.verdict === 'permit') return outcome.executionId;
    throw new WritDenied(outcome.denial, { executionId: outcome.executionId });
  }

  /** Says how an execution ended that was permitted with `isLeft`. @returns why that is not recorded. */
  tell(executionId: string, end: ExecutionEnd): Promise<Denial | undefined> {
    return this.#ports.concludeLater(executionId, end);
  }

  /** Waits until every outcome so far is durable. */
  settle(): Promise<void> {
    return this.#ports.governor.settle();
  }

  /** Stops what is running, concludes it, and closes the execution log. */
  close(): Promise<void> {
    return this.#ports.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #actionOf(tool: GovernedTool, asked: unknown, options: CallOptions): Action {
    const args = copyArguments(asked);
    const base = { tool: tool.id, toolDigest: tool.digest };
    // There is nothing to sign a proof over: the denial alone is recorded.
    if (isDenial(args)) return { ...base, args: {}, presentation: args, refusal: args };
    const parent = Object.hasOwn(options, 'parent') ? options.parent : undefined;
    const from = parent === undefined ? currentExecution(this.#ports.home) : (parent ?? undefined);
    return { ...base, args, presentation: this.#present(tool.id, args, from) };
  }

  #present(tool: string, args: JsonObject, parent: string | undefined): Action['presentation'] {
    const { presenter } = this.#ports;
    if (isDenial(presenter)) return presenter;
    try {
      return presenter.present(tool, args, parent);
    } catch {
      return deny('internal.unexpected', 'the presenter failed');
    }
  }

  /** The effect. Code that does not stop when it is told to is not waited for: nothing in a process can end it. */
  async #perform<T>(
    code: GovernedCode<T>,
    args: JsonObject,
    execution: Execution,
    callerSignal: AbortSignal | undefined,
  ): Promise<EffectResult<Ending<T>>> {
    const { id } = execution;
    const signal = callerSignal ? AbortSignal.any([execution.signal, callerSignal]) : execution.signal;
    const stopped = (): EffectResult<Ending<T>> =>
      execution.signal.aborted
        ? { ...STOPPED, value: { kind: 'stopped', reason: execution.signal.reason } }
        : { ...CANCELLED, value: { kind: 'threw', error: callerSignal?.reason } };
    if (signal.aborted) return { ...stopped(), status: 'failed', note: 'stopped before it started' };
    const aborted = Promise.withResolvers<void>();
    const onAbort = (): void => aborted.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    const context: CallContext = { signal, execution: { id } };
    const running = runAsPartOf({ home: this.#ports.home, executionId: id }, async () => code(args, context));
    try {
      return await Promise.race([
        running.then(
          (value): EffectResult<Ending<T>> => ({
            status: 'succeeded',
            value: { kind: 'returned', value },
            ...evidenceOfResult(value),
          }),
          (error: unknown): EffectResult<Ending<T>> =>
            // What stops because it was told to has not failed of itself.
            signal.aborted
              ? stopped()
              : { status: 'failed', value: { kind: 'threw', error }, ...evidenceOfError(error) },
        ),
        aborted.promise.then(stopped),
      ]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}

function copyArguments(asked: unknown): JsonObject | Denial {
  if (isDenial(asked)) return asked;
  const copy = copyJson(asked, 'request.malformed');
  if (isDenial(copy)) return deny(copy.code, `arguments: ${copy.detail}`);
  return isJsonObject(copy) ? copy : deny('request.malformed', 'arguments are not an object');
}
