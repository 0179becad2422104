interface Bucket {
  tokens: number;
  atMs: number;
}

const MAX_BUCKETS = 20_000;

/** Token buckets, one a key; the least recently used ones are forgotten, which never takes a token away. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #monotonicMs: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number, burst: number, monotonicMs: () => number) {
    this.#perSecond = perSecond;
    this.#burst = Math.max(burst, 1);
    this.#monotonicMs = monotonicMs;
  }

  /** Takes one; returns 0, or after how many whole seconds to come again. */
  take(key: string): number {
    const nowMs = this.#monotonicMs();
    const bucket = this.#buckets.get(key) ?? { tokens: this.#burst, atMs: nowMs };
    this.#buckets.delete(key);
    const gained = (Math.max(0, nowMs - bucket.atMs) / 1000) * this.#perSecond;
    bucket.tokens = Math.min(this.#burst, bucket.tokens + gained);
    bucket.atMs = nowMs;
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MAX_BUCKETS) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / this.#perSecond));
    bucket.tokens -= 1;
    return 0;
  }
}
