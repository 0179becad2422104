import type { TrustBundle, TrustBundles } from './trust-bundle.ts';

/** The trust bundles that are known now. Each trust domain has one, from one source. */
export class TrustBundleStore {
  #current: TrustBundles = new Map();

  /** Immutable: another object as soon as anything has changed. */
  get current(): TrustBundles {
    return this.#current;
  }

  /**
   * Takes a bundle in place of the one of its trust domain. INVARIANT: never an older one (`spiffe_sequence`): whoever can
   * replay a bundle could bring back a key that was withdrawn.
   *
   * @returns why it was not taken, as a text.
   */
  put(bundle: TrustBundle): string | undefined {
    const known = this.#current.get(bundle.trustDomain);
    if (known?.digest === bundle.digest) return undefined;
    if (known?.sequence !== undefined && !((bundle.sequence ?? -1) > known.sequence)) {
      return `it is no newer than the one that is known (spiffe_sequence ${known.sequence})`;
    }
    this.#current = new Map([...this.#current, [bundle.trustDomain, bundle]]);
    return undefined;
  }

  /** The trust domain is not trusted any more. */
  remove(trustDomain: string): void {
    if (!this.#current.has(trustDomain)) return;
    this.#current = new Map([...this.#current].filter(([name]) => name !== trustDomain));
  }
}
