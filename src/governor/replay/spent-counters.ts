import type { Counter, VerifiedChain } from '../../artifact/index.ts';
import { addDecimals, type Decimal, decimalOf, exceedsDecimal, ZERO } from '../../storage/index.ts';

/** Counters held before those of expired tokens are looked for. */
const SWEPT_FROM = 65_536;
const MARGIN_SECONDS = 120;

interface Spent {
  total: Decimal;
  readonly expSeconds: number;
}

/** What a log's permits have spent, summed as exactly as the log does. Counters of tokens that have ended are forgotten. */
export class SpentCounters {
  readonly #spent = new Map<string, Spent>();
  #floorSeconds = Number.NEGATIVE_INFINITY;
  #sweepAt = SWEPT_FROM;

  /** `unknown`: the token ended so early that what it had spent may have been forgotten. */
  find(chain: VerifiedChain, counters: readonly Counter[]): 'within' | 'exhausted' | 'unknown' {
    const totals = this.#raised(counters);
    if (
      counters.some((counter) => exceedsDecimal(totals.get(keyOf(counter)) ?? ZERO, decimalOf(counter.limit)))
    ) {
      return 'exhausted';
    }
    const forgotten = counters.some(
      (counter) => !this.#spent.has(keyOf(counter)) && endOf(chain, counter) <= this.#floorSeconds,
    );
    return forgotten ? 'unknown' : 'within';
  }

  add(chain: VerifiedChain, counters: readonly Counter[], nowSeconds: number): void {
    const totals = this.#raised(counters);
    for (const counter of counters) {
      const total = totals.get(keyOf(counter)) ?? ZERO;
      this.#spent.set(keyOf(counter), { total, expSeconds: endOf(chain, counter) });
    }
    if (this.#spent.size >= this.#sweepAt) this.#sweep(nowSeconds);
  }

  #raised(counters: readonly Counter[]): Map<string, Decimal> {
    const totals = new Map<string, Decimal>();
    for (const counter of counters) {
      const key = keyOf(counter);
      const before = totals.get(key) ?? this.#spent.get(key)?.total ?? ZERO;
      totals.set(key, addDecimals(before, decimalOf(counter.amount)));
    }
    return totals;
  }

  #sweep(nowSeconds: number): void {
    for (const [key, { expSeconds }] of this.#spent) {
      if (expSeconds + MARGIN_SECONDS > nowSeconds) continue;
      this.#spent.delete(key);
      this.#floorSeconds = Math.max(this.#floorSeconds, expSeconds);
    }
    // Looking again soon would cost much and find little where most of them are still in use.
    this.#sweepAt = Math.max(SWEPT_FROM, this.#spent.size * 2);
  }
}

function endOf({ tokens }: VerifiedChain, { tokenHash }: Counter): number {
  return tokens.find(({ hash }) => hash === tokenHash)?.expSeconds ?? Number.POSITIVE_INFINITY;
}

function keyOf({ tokenHash, name }: Counter): string {
  return `${tokenHash}:${name}`;
}
