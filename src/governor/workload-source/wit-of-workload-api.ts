import { type Denial, deny } from '../../denial/index.ts';
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
  /** How long one answer may take. */
  readonly withinMs: number;
}

/** How often it asks at most, and at least: a new authority of the trust domain makes identities new before they end. */
const MIN_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 300_000;
const MAX_PROBLEM_CHARACTERS = 300;

/**
 * A WIT-SVID from the SPIFFE Workload API. It asks anew when half the time that the token has left is over, and after failing with growing
 * pauses; what it has serves meanwhile, for as long as it is valid. It keeps no program running.
 */
export class WitOfWorkloadApi implements WorkloadSource {
  readonly #options: WorkloadApiOptions;
  #held: HeldWit | undefined;
  #timer: NodeJS.Timeout | undefined;
  #asking: Promise<void> | undefined;
  #pauseMs = MIN_PAUSE_MS;
  #nextMs = 0;
  #closed = false;
  problem: string | undefined = 'it was not asked yet';

  private constructor(options: WorkloadApiOptions) {
    this.#options = options;
  }

  /** Resolves when it has answered, or has not in time. */
  static async open(options: WorkloadApiOptions): Promise<WitOfWorkloadApi> {
    const source = new WitOfWorkloadApi(options);
    await source.#ask();
    return source;
  }

  prove(call: WorkloadCall): { readonly wit: string; readonly wpt: string } | Denial {
    const { id } = this.#options;
    if (this.#held !== undefined && call.nowSeconds < this.#held.expSeconds) {
      return proveHeldWit(this.#held, call);
    }
    // Timers stand still while a machine sleeps.
    if (!this.#closed && performance.now() >= this.#nextMs) void this.#ask();
    const which = id === undefined ? '' : ` of ${id}`;
    return deny('identity.mismatch', `no WIT-SVID${which} to show: ${this.problem ?? 'it has expired'}`);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#held = undefined;
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#fetch().then((problem) => {
      this.#asking = undefined;
      if (this.#closed) return;
      this.problem = problem;
      this.#schedule();
    });
    return this.#asking;
  }

  /** @returns why there is nothing new. */
  async #fetch(): Promise<string | undefined> {
    const { endpoint, id, withinMs } = this.#options;
    try {
      const { WorkloadApi } = await import('../../mesh/index.ts');
      const api = await WorkloadApi.open({ endpoint });
      try {
        const told = await api.first<readonly Pick<HeldWit, 'id' | 'wit' | 'privateKey'>[]>(
          (watcher) => api.watchWit(watcher),
          withinMs,
        );
        const one = id === undefined ? told[0] : told.find((identity) => identity.id === id);
        if (one === undefined) {
          return `the Workload API gives this process ${told.length === 0 ? 'none' : `${told.length} of others`}`;
        }
        const held = holdWit(one.wit, one.privateKey);
        if (typeof held === 'string') return `what the Workload API gives is none: ${held}`;
        if (held.id !== one.id) return 'the Workload API gives one of another ID than it says';
        if (!this.#closed) this.#held = held;
        return undefined;
      } finally {
        api.close();
      }
    } catch (error) {
      return printable(error instanceof Error ? error.message : 'the Workload API failed');
    }
  }

  #schedule(): void {
    const leftMs = this.#held === undefined ? 0 : this.#held.expSeconds * 1000 - Date.now();
    const failed = this.problem !== undefined;
    this.#pauseMs = failed ? Math.min(this.#pauseMs * 2, MAX_PAUSE_MS / 10) : MIN_PAUSE_MS;
    const ms = failed ? this.#pauseMs : Math.min(Math.max(leftMs / 2, MIN_PAUSE_MS), MAX_PAUSE_MS);
    this.#nextMs = performance.now() + (failed ? this.#pauseMs : MIN_PAUSE_MS);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), ms).unref();
  }
}

/** Of what somebody else wrote nothing that a terminal obeys, and not without end: it goes into receipts. */
function printable(text: string): string {
  return text.slice(0, MAX_PROBLEM_CHARACTERS).replaceAll(/[^\P{C} ]|[\p{Zl}\p{Zp}]/gu, '?');
}
