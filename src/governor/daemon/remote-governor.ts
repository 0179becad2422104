import { newUuidV7 } from '../../artifact/index.ts';
import type { JsonObject } from '../../codec/index.ts';
import type { Action } from '../../decision/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { type Component, readBootId } from '../../environment/index.ts';
import type { MeasuredTool } from '../enforcement-point.ts';
import type { Effect, EffectResult, ExecutionEnd, Outcome } from '../execution.ts';
import type { CallerTrace } from '../tracing/caller-trace.ts';
import { type DaemonAnswer, denialOf } from './daemon-answer.ts';
import type { DaemonChannel } from './daemon-channel.ts';
import { DaemonGone } from './daemon-error.ts';
import type { DaemonLink } from './daemon-link.ts';
import { dispatchEvent, type OpenedSession, openedOf } from './session-events.ts';
import { actionMessage, outcomeMessage } from './session-messages.ts';

export interface RemoteGovernorOptions {
  /** Configured name of the enforcement point. */
  readonly name: string;
  readonly components: readonly Component[];
  /** Unix seconds at which the oldest of them was measured. */
  readonly measuredAtSeconds: number;
  /** A link to the domain's daemon; asked again after one was lost. Throws where there is none to be had. */
  readonly link: () => Promise<DaemonLink>;
}

interface Session extends OpenedSession {
  readonly channel: DaemonChannel;
  pins: OpenedSession['pins'];
}

const OK = 200;
const CREATED = 201;
const GONE = deny('log.unavailable', 'the daemon is gone');

/**
 * The governor of a daemon, used from another process: every decision is asked for and recorded there, and effects run
 * here.
 *
 * INVARIANT: no effect without an answer that permits it; and when the session with the daemon is lost, what runs is
 * stopped, because nobody would say that it no longer stands.
 */
export class RemoteGovernor {
  readonly #options: RemoteGovernorOptions;
  readonly #running = new Map<string, AbortController>();
  /** Terminations that came before the answer that permitted. */
  readonly #terminated = new Map<string, Denial>();
  #session: Promise<Session> | undefined;
  #opened: Session | undefined;
  #tools: readonly MeasuredTool[] | undefined;
  #measured: Pick<RemoteGovernorOptions, 'components' | 'measuredAtSeconds'>;
  /** Resolves when the daemon knows the newest definitions. */
  #telling: Promise<void> = Promise.resolve();
  readonly #concluding = new Set<Promise<unknown>>();
  #closed = false;

  private constructor(options: RemoteGovernorOptions) {
    this.#options = options;
    this.#measured = options;
  }

  /** @throws where no session can be opened. */
  static async connect(options: RemoteGovernorOptions): Promise<RemoteGovernor> {
    const governor = new RemoteGovernor(options);
    await governor.#connected();
    return governor;
  }

  get log(): string {
    return this.#opened?.log ?? '';
  }

  /** Base URL of where people approve, if the daemon knows one. */
  get approvalsUrl(): string | undefined {
    return this.#opened?.approvalsUrl;
  }

  get audience(): string {
    return this.#opened?.audience ?? '';
  }

  /** Digest that the active policy pins a tool's definition to, as the daemon said last. */
  pinnedDigest(tool: string) {
    return this.#opened?.pins.get(tool);
  }

  setTools(tools: readonly MeasuredTool[]): void {
    this.#tools = tools;
    this.#tell((session) => this.#tellTools(session));
  }

  setComponents(components: readonly Component[], measuredAtSeconds: number): void {
    this.#measured = { components, measuredAtSeconds };
    this.#tell((session) => this.#tellComponents(session));
  }

  #tell(tell: (session: Session) => Promise<void>): void {
    const session = this.#opened;
    if (session === undefined) return;
    const before = this.#telling;
    this.#telling = before.then(() => tell(session));
    // INVARIANT: nothing is decided on definitions that no longer are: where the daemon could not be told, the session is
    // lost, and the next one begins with telling it.
    this.#telling.catch(() => this.#lose(session.channel));
  }

  /** As `Governor.run`. */
  async run<T>(asked: Action, effect: Effect<T>, caller?: CallerTrace): Promise<Outcome<T>> {
    const action = Object.freeze({ ...asked });
    let session: Session;
    let answer: DaemonAnswer;
    try {
      [session, answer] = await this.#ask(action, caller).catch((error: unknown) => {
        // Once more, of the daemon that now is there. What the lost one may have permitted has consumed its proof: then this
        // is a replay, and denied.
        if (error instanceof DaemonGone) return this.#ask(action, caller);
        throw error;
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown error';
      return denied(deny('log.unavailable', `the daemon did not decide: ${reason}`));
    }
    const { execution, receipt } = answer.body;
    if (answer.status !== CREATED || typeof execution !== 'string' || typeof receipt !== 'number') {
      return denied(denialOf(answer), execution, receipt);
    }
    return this.#perform(session, execution, receipt, effect);
  }

  /** Says how an execution of this enforcement point ended that was left, by whichever process. */
  async concludeLater(executionId: string, end: ExecutionEnd): Promise<Denial | undefined> {
    try {
      const { channel } = await this.#connected();
      const answer = await channel.send({ concludeLeft: executionId, outcome: outcomeMessage(end) });
      return answer.status === OK ? undefined : denialOf(answer);
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown error';
      return deny('log.unavailable', `the daemon was not told: ${reason}`);
    }
  }

  /** Waits until the daemon knows of every outcome so far. */
  async settle(): Promise<void> {
    await Promise.all(this.#concluding);
  }

  /** Stops what is running and ends the session. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const abort of this.#running.values()) abort.abort();
    await this.settle();
    (await this.#session?.catch(() => undefined))?.channel.close();
  }

  async #ask(action: Action, caller: CallerTrace | undefined): Promise<[Session, DaemonAnswer]> {
    const session = await this.#connected();
    // The definitions of tools are part of what is decided on.
    await this.#telling;
    const trace = caller && { trace: { ...caller } };
    const request = { ask: actionMessage(action), ...trace };
    return [session, await session.channel.send(request, (late) => this.#abandon(session, late))];
  }

  async #perform<T>(
    session: Session,
    executionId: string,
    receiptIndex: number,
    effect: Effect<T>,
  ): Promise<Outcome<T>> {
    const abort = new AbortController();
    const early = this.#terminated.get(executionId);
    this.#terminated.delete(executionId);
    this.#running.set(executionId, abort);
    const tell = async (request: JsonObject) => {
      const reason: unknown = abort.signal.reason;
      return (await this.#tellEnd(session, request)) ?? (isDenial(reason) ? reason : undefined);
    };
    const conclude = (end: ExecutionEnd) => tell({ conclude: executionId, outcome: outcomeMessage(end) });
    try {
      if (early !== undefined || this.#opened !== session) {
        const denial = early ?? GONE;
        await conclude({ status: 'unknown', note: 'withdrawn before the effect started' });
        return { verdict: 'deny', denial, executionId, receiptIndex };
      }
      let result: EffectResult<T>;
      try {
        result = await effect({ id: executionId, signal: abort.signal });
      } catch (error) {
        const denial = await conclude({ status: 'unknown', note: 'the effect failed without an answer' });
        if (denial === undefined) throw error;
        return { verdict: 'deny', denial, executionId, receiptIndex };
      }
      const denial = await (result.isLeft === true ? tell({ leave: executionId }) : conclude(result));
      return denial === undefined
        ? { verdict: 'permit', executionId, receiptIndex, value: result.value }
        : { verdict: 'deny', denial, executionId, receiptIndex };
    } finally {
      this.#running.delete(executionId);
    }
  }

  /** A permit that came when nobody waited for it any more: nothing was run, and nothing will be. */
  #abandon(session: Session, { body: { execution } }: DaemonAnswer): void {
    if (typeof execution !== 'string') return;
    const outcome = { status: 'unknown', note: 'permitted too late: nothing was run' };
    void this.#tellEnd(session, { conclude: execution, outcome });
  }

  /**
   * What the daemon terminated it with, if it did. INVARIANT: only the daemon's word says that an execution stood to its
   * end. Without it the outcome is recorded as unknown, and what came back is not passed on.
   */
  async #tellEnd(session: Session, request: JsonObject): Promise<Denial | undefined> {
    const concluding = session.channel.send(request).catch(() => undefined);
    this.#track(concluding);
    const answer = await concluding;
    if (answer?.status !== OK) return GONE;
    const code = answer.body.terminated;
    return code === undefined ? undefined : denialOf({ status: OK, body: { code } });
  }

  #track(promise: Promise<unknown>): void {
    this.#concluding.add(promise);
    void promise.finally(() => this.#concluding.delete(promise));
  }

  async #tellTools({ channel }: Session): Promise<void> {
    if (this.#tools === undefined) return;
    const { status } = await channel.send({ tools: this.#tools.map(({ id, digest }) => ({ id, digest })) });
    if (status !== OK) throw new Error('the daemon did not take the definitions of the tools');
  }

  async #tellComponents({ channel }: Session): Promise<void> {
    const { status } = await channel.send(this.#measuredBody());
    if (status !== OK) throw new Error('the daemon did not take what was measured');
  }

  #measuredBody() {
    const { components, measuredAtSeconds } = this.#measured;
    const bootId = readBootId();
    return {
      components: components.map((one) => ({ ...one })),
      measuredAtSeconds,
      ...(bootId && { bootId }),
    };
  }

  #connected(): Promise<Session> {
    if (this.#closed) return Promise.reject(new Error('the enforcement point is closed'));
    this.#session ??= this.#open();
    return this.#session;
  }

  async #open(): Promise<Session> {
    const { name } = this.#options;
    let channel: DaemonChannel | undefined;
    const link = await this.#options.link().catch((error: unknown) => {
      this.#session = undefined;
      throw error;
    });
    try {
      channel = await link.openChannel(`/v1/enforcement-points/${name}/session`, {
        event: (event, data) =>
          dispatchEvent(event, data, {
            pins: (pins) => {
              if (this.#opened !== undefined) this.#opened.pins = pins;
            },
            terminated: (executionId, denial) => this.#terminate(executionId, denial),
          }),
        closed: (closed) => this.#lose(closed),
      });
      const told = this.#measured;
      const answer = await channel.send({ open: this.#measuredBody() });
      if (answer.status !== OK) throw new Error(denialOf(answer).detail);
      const session: Session = { ...openedOf(answer.body), channel };
      this.#opened = session;
      // What was measured while it was opened could be told to nobody.
      const components = this.#measured === told ? undefined : this.#tellComponents(session);
      this.#telling = Promise.all([components, this.#tellTools(session)]).then(() => undefined);
      await this.#telling;
      return session;
    } catch (error) {
      this.#session = undefined;
      if (channel !== undefined) this.#lose(channel);
      throw error;
    } finally {
      link.close();
    }
  }

  #terminate(executionId: string, denial: Denial): void {
    const abort = this.#running.get(executionId);
    if (abort !== undefined) abort.abort(denial);
    else this.#terminated.set(executionId, denial);
  }

  #lose(channel: DaemonChannel): void {
    if (this.#opened?.channel === channel) {
      this.#opened = undefined;
      this.#session = undefined;
      this.#terminated.clear();
      for (const abort of this.#running.values()) abort.abort(GONE);
    }
    channel.close();
  }
}

function denied(denial: Denial, execution?: unknown, receipt?: unknown): Outcome<never> {
  return {
    verdict: 'deny',
    denial,
    executionId: typeof execution === 'string' ? execution : newUuidV7(),
    receiptIndex: typeof receipt === 'number' ? receipt : undefined,
  };
}
