import type { NetworkFacts } from '../../receipt/index.ts';
import { type Destination, destinationText } from './network-grant.ts';
import { refusedText } from './refused-destination.ts';

interface Tally {
  allowed: number;
  refused: number;
  bytesOut: number;
  bytesIn: number;
}

/** Refused destinations are the program's choice: only so many are told apart. Those granted are bounded already. */
const MAX_REFUSED = 16;
/** Every other, and what is no destination at all. */
const OTHER = '*';

/** Counts per destination, and all bytes together. */
export class NetworkRecord {
  readonly #tallies = new Map<string, Tally>();
  readonly #granted: ReadonlySet<string>;
  readonly #maxBytes: number;
  #refusedKinds = 0;
  #bytes = 0;

  /** @param granted destinations that were decided on: theirs are the issuer's words, and go on record as they are. */
  constructor(granted: readonly Destination[], maxBytes: number) {
    this.#granted = new Set(granted.map(destinationText));
    this.#maxBytes = maxBytes;
  }

  allow(destination: Destination): void {
    this.#tally(destinationText(destination)).allowed += 1;
  }

  refuse(destination: Destination | undefined): void {
    const to = destination === undefined ? undefined : this.#nameOf(destination);
    const isKnown = to !== undefined && (this.#granted.has(to) || this.#tallies.has(to));
    if (to !== undefined && !isKnown) this.#refusedKinds += 1;
    const isTold = isKnown || this.#refusedKinds <= MAX_REFUSED;
    this.#tally(to === undefined || !isTold ? OTHER : to).refused += 1;
  }

  /** Counts bytes before they are passed on; false where they must not be. */
  count(destination: Destination, way: 'in' | 'out', bytes: number): boolean {
    if (this.#bytes + bytes > this.#maxBytes) {
      this.#bytes = this.#maxBytes;
      return false;
    }
    this.#bytes += bytes;
    this.#tally(destinationText(destination))[way === 'in' ? 'bytesIn' : 'bytesOut'] += bytes;
    return true;
  }

  get isSpent(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  /** Sorted by destination. */
  facts(): readonly NetworkFacts[] {
    return [...this.#tallies]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([to, tally]) => ({ to, ...tally }));
  }

  #nameOf(destination: Destination): string | undefined {
    const to = destinationText(destination);
    return this.#granted.has(to) ? to : refusedText(destination);
  }

  #tally(to: string): Tally {
    const known = this.#tallies.get(to);
    if (known !== undefined) return known;
    const tally: Tally = { allowed: 0, refused: 0, bytesOut: 0, bytesIn: 0 };
    this.#tallies.set(to, tally);
    return tally;
  }
}
