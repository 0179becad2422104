import type { Digest } from '../codec/index.ts';
import { isInTime, isTrusted } from './chain-standing.ts';
import { type ArtifactLimits, sameLimits } from './limits.ts';
import type { TrustAnchor } from './trust-anchor.ts';
import type { VerifiedChain } from './verified-chain.ts';

interface Entry {
  readonly chain: VerifiedChain;
  readonly limits: ArtifactLimits;
  readonly bytes: number;
}

const DEFAULT_MAX_BYTES = 8_388_608;

/**
 * Chains that verified, least recently used first out. Only signatures, links and attenuation, which cannot change,
 * are remembered.
 *
 * INVARIANT: what can change is asked on every use: time, whether the anchor is still trusted, and the limits; what is
 * not the same as it was is verified afresh. Audience, revocation and proof are other stages and never cached.
 */
export class ChainCache {
  readonly #entries = new Map<Digest, Entry>();
  readonly #maxChains: number;
  readonly #maxBytes: number;
  #bytes = 0;

  /** @param maxBytes bound of the compact tokens kept; what is parsed out of them takes several times as much. */
  constructor(maxChains: number, maxBytes: number = DEFAULT_MAX_BYTES) {
    if (!(maxChains >= 1) || !(maxBytes >= 1)) throw new TypeError('a chain cache holds at least one chain');
    this.#maxChains = maxChains;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  find(
    digest: Digest,
    context: {
      readonly anchors: readonly TrustAnchor[];
      readonly nowSeconds: number;
      readonly limits: ArtifactLimits;
    },
  ): VerifiedChain | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    this.#delete(digest, entry);
    const { chain, limits } = entry;
    const stands =
      sameLimits(limits, context.limits) &&
      isTrusted(chain, context.anchors) &&
      isInTime(chain, context.nowSeconds, limits.maxIatSkewSeconds);
    if (!stands) return undefined;
    this.#insert(digest, entry);
    return chain;
  }

  add(chain: VerifiedChain, limits: ArtifactLimits): void {
    const known = this.#entries.get(chain.digest);
    if (known !== undefined) this.#delete(chain.digest, known);
    const bytes = chain.tokens.reduce((sum, { compact }) => sum + compact.length, 0);
    if (bytes > this.#maxBytes) return;
    this.#insert(chain.digest, { chain, limits, bytes });
    for (const [digest, entry] of this.#entries) {
      if (this.#entries.size <= this.#maxChains && this.#bytes <= this.#maxBytes) break;
      this.#delete(digest, entry);
    }
  }

  #insert(digest: Digest, entry: Entry): void {
    this.#entries.set(digest, entry);
    this.#bytes += entry.bytes;
  }

  #delete(digest: Digest, entry: Entry): void {
    this.#entries.delete(digest);
    this.#bytes -= entry.bytes;
  }
}
