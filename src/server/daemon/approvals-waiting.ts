import { isDenial } from '../../denial/index.ts';
import { REQUEST_SECONDS } from '../../governance/index.ts';
import { type Clock, type GovernanceFollower, type Home, readInThread } from '../../governor/index.ts';

export interface ApprovalsWaitingOptions {
  readonly home: Home;
  readonly clock: Clock;
  readonly follower: Pick<GovernanceFollower, 'view'>;
}

/** A count is taken no more often. */
const INTERVAL_MS = 5_000;
/** A count that takes longer is given up: the index goes on from there the next time. */
const MAX_COUNT_MS = 5_000;

/**
 * How many requests for approval wait for people. Whoever asks is told the last count, and a new one is taken behind their
 * back: in a thread, by the receipts' index, of boundedly many requests, and only where something may have changed it.
 */
export class ApprovalsWaiting {
  readonly #options: ApprovalsWaitingOptions;
  readonly #ended = new AbortController();
  #count: number | undefined;
  #countedAtMs = Number.NEGATIVE_INFINITY;
  #governanceSize = -1;
  #hasMoved = true;
  #isCounting = false;

  constructor(options: ApprovalsWaitingOptions) {
    this.#options = options;
  }

  /** Undefined while it is not known. */
  get count(): number | undefined {
    const { clock, follower } = this.#options;
    // What waits may expire meanwhile.
    const isStale = this.#hasMoved || this.#count !== 0 || follower.view.size !== this.#governanceSize;
    const isDue = clock.monotonicMs() - this.#countedAtMs >= INTERVAL_MS;
    if (isStale && isDue && !this.#isCounting) void this.#recount();
    return this.#count;
  }

  /** Somebody asked for approval. */
  moved(): void {
    this.#hasMoved = true;
  }

  close(): void {
    this.#ended.abort();
  }

  async #recount(): Promise<void> {
    const { home, clock, follower } = this.#options;
    this.#isCounting = true;
    this.#hasMoved = false;
    this.#countedAtMs = clock.monotonicMs();
    this.#governanceSize = follower.view.size;
    const nowMs = clock.wallMs();
    const counted = await readInThread(
      home,
      { kind: 'approvals-waiting', nowMs, sinceMs: nowMs - REQUEST_SECONDS * 1000 },
      AbortSignal.any([this.#ended.signal, AbortSignal.timeout(MAX_COUNT_MS)]),
    );
    this.#count = isDenial(counted) ? undefined : counted.waiting;
    this.#isCounting = false;
  }
}
