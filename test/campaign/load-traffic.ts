import type { Action } from '../../src/decision/index.ts';
import type { ConnectedGovernor } from '../../src/governor/index.ts';
import { READ, type TestDomain, WRITE } from '../support/trust-domain.ts';
import type { Acknowledged } from './load-audit.ts';

/** Policy of a domain under load: it permits all but one path. */
export const LOAD_POLICY = `permit (principal, action, resource);

@id("not-this-path")
forbid (principal, action, resource)
when { context.input has path && context.input.path == "/forbidden" };
`;

/** Calls that share an artifact: caches of chains turn over as they do with agents that come and go. */
const CALLS_PER_ARTIFACT = 200;
const TICK_MS = 10;
const LATENCIES = 100_000;

type Kind = 'succeeds' | 'fails' | 'lasts' | 'forbidden' | 'not granted' | 'unproved' | 'replayed';

/** Of twenty calls, 13 are permitted and end at once, 2 last a while, 5 are denied at different stages. */
const MIX: readonly Kind[] = [
  ...Array.from({ length: 11 }, () => 'succeeds' as const),
  ...['fails', 'lasts', 'forbidden', 'succeeds', 'not granted', 'unproved', 'lasts'].map(
    (kind) => kind as Kind,
  ),
  'replayed',
  'forbidden',
];

const EXPECTED: Readonly<Record<Kind, string>> = {
  succeeds: 'permit',
  fails: 'permit',
  lasts: 'permit',
  forbidden: 'policy.forbidden',
  'not granted': 'scope.tool_not_granted',
  unproved: 'artifact.missing',
  replayed: 'replay.detected',
};

/** Calls of one enforcement point, each held against the code it must be answered with. */
export class Traffic {
  readonly #domain: TestDomain;
  readonly #point: ConnectedGovernor;
  readonly #acknowledged: Acknowledged;
  /** Codes that are right for any call while something else goes on. */
  readonly #tolerated: ReadonlySet<string>;
  #calls = 0;
  #inFlight = 0;
  #artifact: { readonly all: string; readonly readOnly: string } | undefined;
  #last: Action | undefined;
  /** Milliseconds from a call to its decision: the answer that denies, or the start of the effect. */
  #latencies = new Float32Array(LATENCIES);
  #measured = 0;
  /** Calls that were due and not made, because too many waited. */
  skipped = 0;
  /** Effects that ran. */
  effects = 0;

  constructor(
    domain: TestDomain,
    point: ConnectedGovernor,
    acknowledged: Acknowledged,
    tolerated: readonly string[] = [],
  ) {
    this.#domain = domain;
    this.#point = point;
    this.#acknowledged = acknowledged;
    this.#tolerated = new Set(tolerated);
  }

  get calls(): number {
    return this.#calls;
  }

  /** Calls at a steady rate, however long the answers take, with at most so many of them waiting. */
  async atRate(perSecond: number, forMs: number, maxInFlight = 256): Promise<void> {
    const startedMs = performance.now();
    let made = 0;
    const running = new Set<Promise<void>>();
    for (let passedMs = 0; passedMs < forMs; passedMs = performance.now() - startedMs) {
      const due = Math.floor((passedMs / 1000) * perSecond);
      for (; made < due; made += 1) {
        if (this.#inFlight >= maxInFlight) {
          this.skipped += 1;
          continue;
        }
        const call = this.call();
        running.add(call);
        void call.finally(() => running.delete(call));
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    await Promise.all(running);
  }

  /** So many callers, one call after another each. */
  async callers(count: number, forMs: number): Promise<void> {
    const until = performance.now() + forMs;
    await Promise.all(
      Array.from({ length: count }, async () => {
        while (performance.now() < until) await this.call();
      }),
    );
  }

  async call(): Promise<void> {
    const planned = MIX[this.#calls % MIX.length] ?? 'succeeds';
    const kind = planned === 'replayed' && this.#last === undefined ? 'succeeds' : planned;
    const action = this.#actionOf(kind);
    this.#calls += 1;
    this.#inFlight += 1;
    const askedMs = performance.now();
    let ran = false;
    try {
      const outcome = await this.#point.governor.run(action, async () => {
        this.#measure(askedMs);
        ran = true;
        this.effects += 1;
        if (kind === 'lasts') await new Promise((resolve) => setTimeout(resolve, 50));
        return { status: kind === 'fails' ? 'failed' : 'succeeded', value: undefined };
      });
      if (!ran) this.#measure(askedMs);
      this.#acknowledged.take(outcome, ran);
      // Only what was answered is a replay for certain: two racers share one permit, whichever it is.
      if (kind === 'succeeds' && ran) this.#last = action;
      const code = outcome.verdict === 'permit' ? 'permit' : outcome.denial.code;
      if (code !== EXPECTED[kind] && !this.#tolerated.has(code)) {
        const detail = outcome.verdict === 'deny' ? outcome.denial.detail : '';
        this.#acknowledged.violations.push(`a call that ${kind} was answered ${code} ${detail}`);
      }
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** Milliseconds since the last time this was asked. */
  takeLatencies(): { readonly p50: number; readonly p99: number; readonly max: number } {
    const sorted = this.#latencies.slice(0, Math.min(this.#measured, LATENCIES)).sort();
    this.#measured = 0;
    const at = (share: number): number =>
      Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 100) / 100;
    return { p50: at(0.5), p99: at(0.99), max: at(1) };
  }

  #measure(askedMs: number): void {
    this.#latencies[this.#measured % LATENCIES] = performance.now() - askedMs;
    this.#measured += 1;
  }

  #actionOf(kind: Kind): Action {
    if (this.#calls % CALLS_PER_ARTIFACT === 0 || this.#artifact === undefined) {
      const audiences = [this.#point.audience];
      this.#artifact = {
        all: this.#domain.issue({ audiences }),
        readOnly: this.#domain.issue({ audiences, tools: { [READ]: {} } }),
      };
    }
    if (kind === 'replayed' && this.#last !== undefined) return this.#last;
    const args = { path: kind === 'forbidden' ? '/forbidden' : `/data/${this.#calls}.txt` };
    const chain = [kind === 'not granted' ? this.#artifact.readOnly : this.#artifact.all];
    const { audience } = this.#point;
    const action = this.#domain.call(chain, { audience, tool: WRITE, args });
    if (kind === 'unproved') return { ...action, presentation: undefined };
    return action;
  }
}
