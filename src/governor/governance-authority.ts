import { type Denial, deny, isDenial } from '../denial/index.ts';
import { foldGovernance, type GovernanceState, serializeGovernanceEvent } from '../governance/index.ts';
import { readKeyFile } from '../key/index.ts';
import { LogLocked, ReopeningLog } from '../storage/index.ts';
import { type LogProgress, LogUnavailable, noteVerifier, QuorumUnmet } from '../tlog/index.ts';
import { completeEvent, type NewGovernanceEvent, notInForceYet } from './governance-event.ts';
import type { Home } from './home.ts';
import { cosignerFor } from './witness-policy-file.ts';

/** Events that wait for a checkpoint at once; more are turned away until some are in force. */
const MAX_WAITING_EVENTS = 20_000;

/**
 * The one writer of a domain's governance log, for as long as it is open: its lock keeps every other one out.
 *
 * INVARIANT: an event is checked against everything appended before it, whoever asked for that, and a caller hears of
 * success only when a published checkpoint covers its events, so that every follower honours them from then on.
 */
export class GovernanceAuthority {
  readonly #log: ReopeningLog;
  #state: GovernanceState;
  #waiting = 0;
  /** The checkpoint that is being published, and the one after it, which later events share. */
  #publishing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failure: Denial | undefined;

  private constructor(log: ReopeningLog, state: GovernanceState) {
    this.#log = log;
    this.#state = state;
    log.onReopened = () => this.#readAgain();
  }

  /**
   * @param waitOn asked while the log has another writer: whether to wait for that one to end. Default: not.
   * @returns `log.unavailable` where the log cannot be opened, or has a writer already; the detail says which.
   */
  static async open(
    home: Home,
    waitOn: () => Promise<boolean> = async () => false,
  ): Promise<GovernanceAuthority | Denial> {
    const signer = readKeyFile(home.keyFile('governance'));
    if (isDenial(signer)) return signer;
    const { governanceFolder: directory, governanceOrigin: origin } = home;
    const cosigner = cosignerFor(home, noteVerifier(origin, signer.publicKey));
    if (isDenial(cosigner)) return cosigner;
    try {
      const log = await openWhenFree({ directory, origin, signer, ...(cosigner && { cosigner }) }, waitOn);
      const state = foldGovernance(log.read(0, log.head().size));
      if (!isDenial(state)) return new GovernanceAuthority(log, state);
      await log.close();
      return state;
    } catch (error) {
      if (error instanceof LogLocked || error instanceof LogUnavailable) {
        return deny('log.unavailable', error.message);
      }
      throw error;
    }
  }

  /** Entries of the log. */
  get size(): number {
    return this.#log.head().size;
  }

  progress(): LogProgress {
    return this.#log.progress();
  }

  /** Why nothing can be written now, if so. */
  get failure(): Denial | undefined {
    const { failure } = this.#log;
    return this.#failure ?? (failure && unwritable(failure));
  }

  /** As `appendGovernance`: all of the events or none, in force when this resolves. */
  async append(events: readonly NewGovernanceEvent[]): Promise<number | Denial> {
    const { failure } = this;
    if (failure !== undefined) return failure;
    if (this.#waiting + events.length > MAX_WAITING_EVENTS) {
      return deny(
        'log.unavailable',
        `more than ${MAX_WAITING_EVENTS} governance events wait to be published`,
      );
    }
    const complete = events.map(completeEvent);
    let state = this.#state;
    for (const event of complete) {
      const conflict = state.findConflict(event);
      if (conflict !== undefined) return deny('request.malformed', conflict);
      state = state.apply(event);
    }
    // Before anything is awaited: the next caller is checked against these, too.
    this.#state = state;
    this.#waiting += events.length;
    try {
      const appended = complete.map((event) => this.#log.append({ entry: serializeGovernanceEvent(event) }));
      const results = await Promise.all(appended);
      await this.#published();
      return 1 + Math.max(...results.map((result) => (result.kind === 'appended' ? result.index : -1)));
    } catch (error) {
      if (error instanceof QuorumUnmet) return notInForceYet(error);
      // What is checked against may be ahead of what is stored from here on: nothing more is written, unless the log comes
      // back and is read again.
      this.#failure = unwritable(error);
      return this.#failure;
    } finally {
      this.#waiting -= events.length;
    }
  }

  async close(): Promise<void> {
    await this.#log.close();
  }

  /** The log that is back may hold what its callers were told it does not: what it holds is what stands. */
  #readAgain(): void {
    const state = foldGovernance(this.#log.read(0, this.#log.head().size));
    if (isDenial(state)) {
      this.#failure = state;
      return;
    }
    this.#state = state;
    this.#failure = undefined;
  }

  /** A checkpoint that began after this was called is out. Callers that wait at the same time share one. */
  #published(): Promise<void> {
    if (this.#publishing === undefined) return this.#publish();
    this.#next ??= this.#publishing.then(
      () => this.#publish(),
      () => this.#publish(),
    );
    return this.#next;
  }

  #publish(): Promise<void> {
    this.#next = undefined;
    const publishing = this.#log.checkpoint().then(() => undefined);
    this.#publishing = publishing;
    const ended = () => {
      if (this.#publishing === publishing) this.#publishing = undefined;
    };
    publishing.then(ended, ended);
    return publishing;
  }
}

function unwritable(error: unknown): Denial {
  const reason = error instanceof Error ? error.message : 'unknown error';
  return deny('log.unavailable', `the governance log cannot be written: ${reason}`);
}

const LOCK_STEP_MS = 50;

async function openWhenFree(
  options: Parameters<typeof ReopeningLog.open>[0],
  waitOn: () => Promise<boolean>,
): Promise<ReopeningLog> {
  for (;;) {
    try {
      return await ReopeningLog.open(options);
    } catch (error) {
      if (!(error instanceof LogLocked) || !(await waitOn())) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOCK_STEP_MS));
    }
  }
}
