import type { Findings } from '../../decision/index.ts';
import type { DecisionReceipt } from '../../receipt/index.ts';
import { consumeIdOf, REPLAY_MEMORY_SECONDS } from '../consumption.ts';
import { ConsumedProofs } from './consumed-proofs.ts';
import { SpentCounters } from './spent-counters.ts';

/** What the log's transaction must have said. `unknown`: what it depends on is not at hand, and nothing is guessed. */
export type Consumption = 'fresh' | 'used' | 'exhausted' | 'unknown';

/** What the permits of a log have consumed so far, derived from them alone. Bounded in memory. */
export class DerivedConsumption {
  readonly #proofs = new ConsumedProofs();
  readonly #counters = new SpentCounters();
  #spentUnseen = false;
  #latestSeconds = Number.NEGATIVE_INFINITY;

  /** What a decision that all earlier stages pass meets at the log. Nothing is consumed yet. */
  find({ chain, proof, counters = [] }: Readonly<Findings>, receipt: DecisionReceipt): Consumption {
    if (chain === undefined || proof === undefined) return 'unknown';
    const used = this.#proofs.find(consumeIdOf(chain, proof), proof.iatSeconds + REPLAY_MEMORY_SECONDS);
    if (used !== 'unused') return used;
    const spent = this.#counters.find(chain, counters);
    if (spent !== 'within') return spent;
    // A permit whose evidence is not at hand may have spent what this one lacked.
    const lacked = receipt.code === 'scope.use_exhausted' && counters.length > 0;
    return lacked && this.#spentUnseen ? 'unknown' : 'fresh';
  }

  /** Takes what a permit consumed, as it was derived. */
  take({ chain, proof, counters = [] }: Readonly<Findings>, nowSeconds: number): void {
    if (chain === undefined || proof === undefined) return;
    const now = this.#advance(nowSeconds);
    this.#proofs.add(consumeIdOf(chain, proof), proof.iatSeconds + REPLAY_MEMORY_SECONDS, now);
    if (counters.length > 0) this.#counters.add(chain, counters, now);
  }

  /**
   * Takes a permit whose evidence is not at hand by what its receipt says of it: the proof, not what it spent.
   *
   * @returns false where that proof had been used before.
   */
  takeUnseen(receipt: DecisionReceipt): boolean {
    this.#spentUnseen = true;
    const thumbprint = receipt.artifact?.holders.at(-1);
    const { proof } = receipt;
    if (thumbprint === undefined || proof === undefined || isCut(receipt)) return true;
    const id = consumeIdOf({ leaf: { holder: { thumbprint } } }, proof);
    const expiresAtSeconds = proof.iatSeconds + REPLAY_MEMORY_SECONDS;
    if (this.#proofs.find(id, expiresAtSeconds) === 'used') return false;
    this.#proofs.add(id, expiresAtSeconds, this.#advance(receipt.atMs / 1000));
    return true;
  }

  #advance(nowSeconds: number): number {
    this.#latestSeconds = Math.max(this.#latestSeconds, nowSeconds);
    return this.#latestSeconds;
  }
}

/** A receipt does not repeat an overlong id, nor a chain's end where the chain is overlong. */
function isCut({ proof, artifact }: DecisionReceipt): boolean {
  return (
    proof?.jti.endsWith('…') === true ||
    artifact?.holders.length !== artifact?.tokenIds.length ||
    (artifact?.holders.length ?? 0) >= 16
  );
}
