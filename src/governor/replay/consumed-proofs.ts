import { DigestSet, digestKeyOf } from './digest-set.ts';

/** Room for a clock that is put back; what expired this long ago may be forgotten. */
const MARGIN_SECONDS = 120;
/** Sets of 131,072 ids that are kept whether they have expired or not: a million ids in 32 MiB. */
const SETS_KEPT = 8;

interface Generation {
  readonly ids: DigestSet;
  /** When the last of them expires. */
  expiresAtSeconds: number;
}

/**
 * The proofs that a log's permits have used. Bounded: beyond a million, those are forgotten that no clock can make
 * acceptable again, so that it grows only with the number of permits in one replay window.
 */
export class ConsumedProofs {
  readonly #setsKept: number;
  readonly #generations: Generation[] = [];
  /** Proofs that expire at or before this may have been forgotten. */
  #floorSeconds = Number.NEGATIVE_INFINITY;

  constructor(setsKept = SETS_KEPT) {
    this.#setsKept = setsKept;
  }

  /** `unknown`: it expires so early that it may have been forgotten. */
  find(id: string, expiresAtSeconds: number): 'used' | 'unused' | 'unknown' {
    const key = digestKeyOf(id);
    if (this.#generations.some(({ ids }) => ids.has(key))) return 'used';
    return expiresAtSeconds <= this.#floorSeconds ? 'unknown' : 'unused';
  }

  add(id: string, expiresAtSeconds: number, nowSeconds: number): void {
    let current = this.#generations.at(-1);
    if (current === undefined || current.ids.isFull) {
      this.#forget(nowSeconds);
      current = { ids: new DigestSet(), expiresAtSeconds };
      this.#generations.push(current);
    }
    current.ids.add(digestKeyOf(id));
    current.expiresAtSeconds = Math.max(current.expiresAtSeconds, expiresAtSeconds);
  }

  #forget(nowSeconds: number): void {
    while (this.#generations.length >= this.#setsKept) {
      const [oldest] = this.#generations;
      if (oldest === undefined || oldest.expiresAtSeconds + MARGIN_SECONDS > nowSeconds) return;
      this.#generations.shift();
      this.#floorSeconds = Math.max(this.#floorSeconds, oldest.expiresAtSeconds);
    }
  }
}
