import type { Counter } from '../../artifact/index.ts';
import type { Findings, Snapshot } from '../../decision/index.ts';
import { consumeIdOf, REPLAY_MEMORY_SECONDS } from '../consumption.ts';

/** What the permits of a log have consumed so far, derived from them alone: what its transactions must have said. */
export class DerivedConsumption {
  readonly #consumed = new Map<string, number>();
  readonly #spent = new Map<string, number>();

  /** Consumes what a permit does, and nothing where it turns out to be none. */
  consume({ chain, proof, counters = [] }: Readonly<Findings>, nowSeconds: number): Snapshot['replay'] {
    if (chain === undefined || proof === undefined) return 'unavailable';
    const id = consumeIdOf(chain, proof);
    const expires = this.#consumed.get(id);
    if (expires !== undefined && expires > nowSeconds) return 'used';
    if (counters.some((counter) => this.#wouldExceed(counter))) return 'exhausted';
    this.#consumed.set(id, proof.iatSeconds + REPLAY_MEMORY_SECONDS);
    for (const counter of counters) {
      this.#spent.set(keyOf(counter), (this.#spent.get(keyOf(counter)) ?? 0) + counter.amount);
    }
    return 'fresh';
  }

  #wouldExceed(counter: Counter): boolean {
    // A hair of tolerance: the log adds decimals exactly, this sum may be off in the last bit.
    const total = (this.#spent.get(keyOf(counter)) ?? 0) + counter.amount;
    return total > counter.limit + Math.abs(counter.limit) * 1e-9;
  }
}

function keyOf({ tokenHash, name }: Counter): string {
  return `${tokenHash}:${name}`;
}
