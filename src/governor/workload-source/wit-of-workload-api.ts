import { type Denial, deny } from '../../denial/index.ts';
import type { WitIdentity, WorkloadApi } from '../../mesh/index.ts';
import {
  type HeldWit,
  holdWit,
  proveHeldWit,
  type WorkloadCall,
  type WorkloadSource,
} from '../../workload/index.ts';

export interface WorkloadApiOptions {
  /** `unix:///run/spire/agent.sock` */
  readonly endpoint: string;
  /** Which of this workload's identities; default: the first, which the endpoint calls the default one. */
  readonly id?: string | undefined;
  /** How long to wait for the first answer. */
  readonly withinMs: number;
  /** How long it waits at least before it asks anew. */
  readonly minPauseMs?: number;
}

const MIN_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 3_600_000;
const MAX_PROBLEM_CHARACTERS = 300;

/**
 * A WIT-SVID from the SPIFFE Workload API, followed on its stream. Where no new one has come when half the time that it has left is over, it
 * asks anew. What it has serves until it ends, or until the endpoint takes it back (Workload API §7.2).
 */
export class WitOfWorkloadApi implements WorkloadSource {
  readonly #options: WorkloadApiOptions;
  #api: WorkloadApi | undefined;
  #stop: (() => void) | undefined;
  #held: HeldWit | undefined;
  #timer: NodeJS.Timeout | undefined;
  #askedMs = 0;
  #isWaiting = false;
  #answered: () => void = () => {};
  problem: string | undefined = 'it has not answered yet';

  private constructor(options: WorkloadApiOptions) {
    this.#options = options;
  }

  /** Resolves when it has answered, or has not in time. */
  static async open(options: WorkloadApiOptions): Promise<WitOfWorkloadApi> {
    const source = new WitOfWorkloadApi(options);
    const answered = new Promise<void>((resolve) => {
      source.#answered = resolve;
    });
    try {
      const { WorkloadApi } = await import('../../mesh/index.ts');
      source.#api = await WorkloadApi.open({ endpoint: options.endpoint });
    } catch (error) {
      source.problem = printable(error instanceof Error ? error.message : 'the Workload API failed');
      return source;
    }
    const late = setTimeout(source.#answered, options.withinMs);
    source.#ask();
    await answered;
    clearTimeout(late);
    return source;
  }

  prove(call: WorkloadCall): { readonly wit: string; readonly wpt: string } | Denial {
    const { id, minPauseMs = MIN_PAUSE_MS } = this.#options;
    if (this.#held !== undefined && call.nowSeconds < this.#held.expSeconds) {
      return proveHeldWit(this.#held, call);
    }
    // Timers stand still while a machine sleeps.
    if (performance.now() - this.#askedMs >= minPauseMs) this.#ask();
    const which = id === undefined ? '' : ` of ${id}`;
    return deny('identity.mismatch', `no WIT-SVID${which} to show: ${this.problem ?? 'it has expired'}`);
  }

  close(): void {
    this.#end();
    this.#held = undefined;
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#api?.close();
    this.#api = undefined;
  }

  #ask(): void {
    const api = this.#api;
    if (api === undefined) return;
    const now = performance.now();
    // Whoever asks again before the answer is there may never get one.
    if (this.#isWaiting && now - this.#askedMs < this.#options.withinMs) {
      this.#askLater();
      return;
    }
    this.#isWaiting = true;
    this.#askedMs = now;
    this.#stop?.();
    this.#stop = api.watchWit({
      onUpdate: (told) => {
        if (api === this.#api) this.#take(told);
      },
      onProblem: (problem, why) => {
        if (api !== this.#api) return;
        this.problem = printable(problem);
        this.#isWaiting = false;
        if (why === 'not_entitled') this.#held = undefined;
        // INVARIANT: it is not asked again (Workload API §7).
        if (why === 'not_served') this.#end();
        this.#answered();
      },
    });
    this.#askLater();
  }

  #take(told: readonly WitIdentity[]): void {
    const { id } = this.#options;
    this.#isWaiting = false;
    const one = id === undefined ? told[0] : told.find((identity) => identity.id === id);
    const held = one === undefined ? undefined : holdWit(one.wit, one.privateKey);
    // What is not told of any more was taken back.
    this.#held = typeof held === 'object' && held.id === one?.id ? held : undefined;
    if (this.#held !== undefined) this.problem = undefined;
    else if (typeof held === 'string') this.problem = `what the Workload API gives is none: ${held}`;
    else if (one !== undefined) this.problem = 'the Workload API gives one of another ID than it says';
    else this.problem = `the Workload API gives this process ${told.length === 0 ? 'none' : 'others'}`;
    this.#askLater();
    this.#answered();
  }

  #askLater(): void {
    const { minPauseMs = MIN_PAUSE_MS } = this.#options;
    clearTimeout(this.#timer);
    // The stream itself goes on trying.
    if (this.#api === undefined || this.#held === undefined) return;
    const halfMs = (this.#held.expSeconds * 1000 - Date.now()) / 2;
    const pauseMs = Math.min(Math.max(halfMs, minPauseMs), MAX_PAUSE_MS);
    this.#timer = setTimeout(() => this.#ask(), pauseMs).unref();
  }
}

/** Of what somebody else wrote nothing that a terminal obeys, and not without end: it goes into receipts. */
function printable(text: string): string {
  return text.slice(0, MAX_PROBLEM_CHARACTERS).replaceAll(/[^\P{C} ]|[\p{Zl}\p{Zp}]/gu, '?');
}
