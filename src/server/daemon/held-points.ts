import type { Action } from '../../decision/index.ts';
import { type Denial, isDenial } from '../../denial/index.ts';
import { measureEnforcer, readBootId } from '../../environment/index.ts';
import type { CallerTrace, Clock, GovernanceFollower, GovernanceView } from '../../governor/index.ts';
import type { Asked, ExecutionEnd, PointSession } from './point-session.ts';
import type { PointSessions } from './point-sessions.ts';

export interface HeldPointsOptions {
  readonly sessions: PointSessions;
  readonly follower: GovernanceFollower;
  readonly clock: Clock;
}

export interface AskOptions {
  /** Whether its outcome will be told; else it is of unknown outcome as soon as it is permitted. */
  readonly told?: boolean;
  readonly caller?: CallerTrace | undefined;
}

/** An enforcement point that asks without a session of its own. */
export interface HeldPoint {
  /** What proofs must name. */
  readonly audience: string;
  /**
   * @returns a denial alone where nothing is decided any more, and so nothing recorded.
   */
  ask(action: Action, options?: AskOptions): Promise<Asked | Denial>;
  conclude(executionId: string, end: ExecutionEnd): Denial | undefined | 'unknown';
}

const DECIDED = 'decided for a remote enforcement point';

/**
 * Enforcement points that only ask (AuthZEN, forward-auth). What enforces for them is this daemon's own process, so the
 * daemon holds their session and its measurement is that of itself.
 */
export class HeldPoints {
  readonly #options: HeldPointsOptions;
  readonly #points = new Map<string, Promise<HeldPoint | Denial>>();
  #view: GovernanceView | undefined;

  constructor(options: HeldPointsOptions) {
    this.#options = options;
  }

  /** @param name configured name, which is a local name. */
  async open(name: string): Promise<HeldPoint | Denial> {
    let opening = this.#points.get(name);
    if (opening === undefined) {
      opening = this.#open(name);
      this.#points.set(name, opening);
    }
    const held = await opening;
    if (isDenial(held) && this.#points.get(name) === opening) this.#points.delete(name);
    return held;
  }

  /** One that has asked before; nothing can be running at others. */
  async find(name: string): Promise<HeldPoint | undefined> {
    const held = await this.#points.get(name);
    return held === undefined || isDenial(held) ? undefined : held;
  }

  async #open(name: string): Promise<HeldPoint | Denial> {
    const { sessions, clock } = this.#options;
    const measuredAtSeconds = Math.floor(clock.wallMs() / 1000);
    // What cannot be measured is left out, so that what is bound to it denies.
    const components = await measureEnforcer().catch(() => []);
    const opened = await sessions.open({
      name,
      components,
      measuredAtSeconds,
      runtime: { isHere: true },
      bootId: readBootId(),
      // Nobody is connected who could be told; `conclude` says it to who tells the outcome.
      onTerminated: () => undefined,
    });
    if (isDenial(opened)) return opened;
    const { session, point } = opened;
    return {
      audience: point.audience,
      ask: (action, options = {}) => this.#ask(session, action, options),
      conclude: (executionId, end) => session.conclude(executionId, end),
    };
  }

  async #ask(
    session: PointSession,
    action: Action,
    { told = false, caller }: AskOptions,
  ): Promise<Asked | Denial> {
    const asked = await session.ask(this.#asPublished(action), caller);
    if (!isDenial(asked) && asked.verdict === 'permit' && !told) {
      session.conclude(asked.executionId, { status: 'unknown', note: DECIDED });
    }
    return asked;
  }

  /** No upstream lists these tools: their definition is the published one, and changes with the policy alone. */
  #asPublished(action: Action): Action {
    // One look serves a turn, as in the governor; it looks again before a permit is used.
    if (this.#view === undefined) {
      this.#view = this.#options.follower.refresh();
      setImmediate(() => (this.#view = undefined));
    }
    const digest = this.#view.policy?.bundle.tools.get(action.tool)?.digest;
    return digest === undefined ? action : { ...action, toolDigest: digest };
  }
}
