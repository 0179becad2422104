import { randomBytes } from 'node:crypto';
import type { Digest } from '../../codec/index.ts';
import { MAX_QUOTES, qualifyingData, type TpmAttester, type TpmQuote } from '../../environment/index.ts';
import type { Clock } from '../clock.ts';

/** A TPM that can be asked. */
export interface QuoteSource {
  /** Name under which it is enrolled. */
  readonly name: string;
  /** A quote over PCRs of the SHA-256 bank, about 32 bytes. Rejects where it cannot be had. */
  quote(
    pcrs: readonly number[],
    data: Uint8Array,
  ): Promise<{ readonly attestation: Uint8Array; readonly signature: Uint8Array }>;
}

export interface SessionQuotesOptions {
  readonly source: QuoteSource;
  readonly clock: Clock;
  /** As it is enrolled now. */
  readonly findAttester: (name: string) => TpmAttester | undefined;
  /** Whether something runs that was permitted on an artifact: its quote is renewed for as long as that is so. */
  readonly isRunning: (artifact: Digest) => boolean;
  /** Called whenever there are other quotes than before. */
  readonly onChanged: () => void;
}

/** Whoever wants a younger quote than that is asking too often. */
const MIN_AGE_SECONDS = 1;
/** How long a decision waits for a quote. */
const MAX_WAIT_MS = 10_000;
const NONCE_BYTES = 32;

/**
 * The quotes of one session: about its environment, and about artifacts that want their own. The nonces are chosen here, one
 * for each quote. What is wrong with a quote is found when a decision is made on it, and told in its receipt.
 */
export class SessionQuotes {
  readonly #options: SessionQuotesOptions;
  #environment: Digest;
  #quotes: readonly TpmQuote[] = [];
  /** Under way, by artifact. */
  readonly #asked = new Map<Digest | undefined, Promise<void>>();
  /** When each was last asked for, monotonic milliseconds. */
  readonly #askedMs = new Map<Digest | undefined, number>();
  #turn: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: SessionQuotesOptions, environment: Digest) {
    this.#options = options;
    this.#environment = environment;
    this.#renew();
  }

  get all(): readonly TpmQuote[] {
    return this.#quotes;
  }

  /** Quotes about another environment say nothing of this one. */
  setEnvironment(environment: Digest): void {
    if (environment === this.#environment) return;
    this.#environment = environment;
    this.#quotes = [];
    this.#askedMs.clear();
    // What is under way is about the environment before.
    this.#asked.clear();
    this.#renew();
  }

  /** Waits for a quote, and asks for one where that may help: for the artifact, or for the environment alone. */
  want(artifact: Digest | undefined): Promise<void> {
    return this.#patiently(this.#ask(artifact));
  }

  /**
   * Something begins to run on an artifact, maybe by a quote that is not for long any more: it would be too old before it is
   * next looked at, or before the TPM has answered by then.
   */
  begin(artifact: Digest): void {
    const held = this.#quotes.find((quote) => quote.artifact === artifact);
    if (held === undefined) return;
    const ageSeconds = this.#options.clock.wallMs() / 1000 - held.at;
    if (ageSeconds >= this.#maxAgeSeconds() / 4) void this.#ask(artifact);
  }

  /** Waits for what is under way, and asks for nothing. */
  async settle(): Promise<void> {
    const asked = this.#asked.get(undefined);
    if (asked !== undefined) await this.#patiently(asked);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Asks now, and again before the quote is too old. */
  #renew(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    const held = this.#quotes;
    void this.#ask(undefined);
    for (const { artifact } of held) {
      if (artifact !== undefined && this.#options.isRunning(artifact)) void this.#ask(artifact);
    }
    this.#timer = setTimeout(() => this.#renew(), this.#maxAgeSeconds() * 500).unref();
  }

  #maxAgeSeconds(): number {
    const { source, findAttester } = this.#options;
    return findAttester(source.name)?.maxAgeSeconds ?? 60;
  }

  async #patiently(asked: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, MAX_WAIT_MS);
    });
    await Promise.race([asked, late]);
    clearTimeout(timer);
  }

  /** One at a time for each artifact, and one at a time for the TPM. Never rejects. */
  #ask(artifact: Digest | undefined): Promise<void> {
    const underWay = this.#asked.get(artifact);
    if (underWay !== undefined) return underWay;
    const nowMs = this.#options.clock.monotonicMs();
    const lastMs = this.#askedMs.get(artifact) ?? Number.NEGATIVE_INFINITY;
    if (this.#isStopped || nowMs - lastMs < MIN_AGE_SECONDS * 1000) return Promise.resolve();
    this.#forgetOld();
    if (artifact !== undefined && !this.#hasRoomFor(artifact)) return Promise.resolve();
    this.#askedMs.set(artifact, nowMs);
    const asked = this.#turn
      .then(() => this.#quote(artifact))
      .finally(() => {
        if (this.#asked.get(artifact) === asked) this.#asked.delete(artifact);
      });
    this.#turn = asked;
    this.#asked.set(artifact, asked);
    return asked;
  }

  async #quote(artifact: Digest | undefined): Promise<void> {
    const { source, clock, findAttester } = this.#options;
    const attester = findAttester(source.name);
    if (attester === undefined || this.#isStopped) return;
    const environment = this.#environment;
    const nonce = randomBytes(NONCE_BYTES);
    const at = Math.floor(clock.wallMs() / 1000);
    try {
      const { attestation, signature } = await source.quote(
        attester.pcrs.map(({ index }) => index),
        qualifyingData(nonce, environment, artifact),
      );
      if (environment !== this.#environment || this.#isStopped) return;
      // It may have been asked for before the environment changed, when others had their places.
      if (artifact !== undefined && !this.#hasRoomFor(artifact)) return;
      const quote: TpmQuote = Object.freeze({
        attester: source.name,
        nonce: nonce.toString('base64url'),
        at,
        ...(artifact === undefined ? {} : { artifact }),
        attestation: Buffer.from(attestation).toString('base64url'),
        signature: Buffer.from(signature).toString('base64url'),
      });
      this.#quotes = [...this.#quotes.filter((other) => other.artifact !== artifact), quote];
      this.#options.onChanged();
    } catch {
      // No quote, no assurance: what asks for it denies.
    }
  }

  /** INVARIANT: the quote about the environment alone always has its place, whatever is still under way for artifacts. */
  #hasRoomFor(wanted: Digest): boolean {
    const taken = new Set([...this.#quotes.map(({ artifact }) => artifact), ...this.#asked.keys()]);
    taken.delete(undefined);
    taken.delete(wanted);
    return taken.size + 1 < MAX_QUOTES;
  }

  /** Quotes that count for nobody any more make room. */
  #forgetOld(): void {
    const { clock, findAttester } = this.#options;
    const nowSeconds = clock.wallMs() / 1000;
    this.#quotes = this.#quotes.filter(({ attester, artifact, at }) => {
      const { maxAgeSeconds = 0 } = findAttester(attester) ?? {};
      return artifact === undefined || nowSeconds - at <= maxAgeSeconds;
    });
    const nowMs = clock.monotonicMs();
    for (const [artifact, askedMs] of this.#askedMs) {
      if (nowMs - askedMs >= MIN_AGE_SECONDS * 1000) this.#askedMs.delete(artifact);
    }
  }
}
