import { existsSync } from 'node:fs';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import {
  type Clock,
  type DecisionTracer,
  EnforcementPoint,
  type GovernanceFollower,
  type Home,
} from '../../governor/index.ts';
import type { LogProgress } from '../../tlog/index.ts';
import type { TrustBundles } from '../../workload/index.ts';

export interface EnforcementPointsOptions {
  readonly home: Home;
  readonly clock: Clock;
  readonly follower: GovernanceFollower;
  readonly maxStalenessSeconds?: number;
  readonly maxLineageDepth?: number;
  readonly tracer?: DecisionTracer;
  readonly trustBundles?: () => TrustBundles;
}

/** Each has a log with a thread of its own. */
const MAX_POINTS = 64;

/** The enforcement points of a daemon, each opened with its execution log when it is first asked for. */
export class EnforcementPoints {
  readonly #options: EnforcementPointsOptions;
  readonly #points = new Map<string, Promise<EnforcementPoint | Denial>>();
  readonly #opened = new Map<string, EnforcementPoint>();

  constructor(options: EnforcementPointsOptions) {
    this.#options = options;
  }

  /** @param name configured name, which is a local name. */
  async open(name: string): Promise<EnforcementPoint | Denial> {
    let opening = this.#points.get(name);
    if (opening === undefined) {
      if (this.#points.size >= MAX_POINTS) {
        return deny('log.unavailable', `this daemon has ${MAX_POINTS} enforcement points already`);
      }
      opening = EnforcementPoint.open({ ...this.#options, name });
      this.#points.set(name, opening);
    }
    const point = await opening;
    // What could not be opened may be mended: the next one who asks tries again.
    if (!isDenial(point)) this.#opened.set(name, point);
    else if (this.#points.get(name) === opening) this.#points.delete(name);
    return point;
  }

  /** One that has a log already, open or not: asking about another makes none. */
  async find(name: string): Promise<EnforcementPoint | Denial | undefined> {
    const isThere = this.#points.has(name) || existsSync(this.#options.home.executionLogFolder(name));
    return isThere ? this.open(name) : undefined;
  }

  /** How far the logs of those that are open have come, by the name of the log. */
  progress(): (readonly [string, LogProgress])[] {
    return [...this.#opened.values()].map((point) => [`execution/${point.log}`, point.progress()]);
  }

  /** Why decisions cannot be recorded at some of them, a line each. */
  get problems(): string[] {
    return [...this.#opened.values()].flatMap(({ log, failure }) =>
      failure === undefined ? [] : [`execution log ${log}: ${failure}`],
    );
  }

  async close(): Promise<void> {
    const points = await Promise.all(this.#points.values());
    await Promise.all(points.map((point) => (isDenial(point) ? undefined : point.close())));
  }
}
