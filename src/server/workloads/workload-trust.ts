import { isDenial } from '../../denial/index.ts';
import { TrustBundleStore, type TrustBundles } from '../../workload/index.ts';
import type { WorkloadsConfig } from '../config/index.ts';
import type { Logger } from '../daemon/logger.ts';
import { readBundleFile } from './read-bundle-file.ts';

/** What a bundle says nothing about: SPIFFE Trust Domain and Bundle §4.1.2. */
const DEFAULT_REFRESH_SECONDS = 300;
const MIN_REFRESH_SECONDS = 5;
const MAX_REFRESH_SECONDS = 3600;

/** The trust bundles of a daemon, kept as new as their sources. One that cannot be read anew stands as it was read last. */
export class WorkloadTrust {
  readonly #config: WorkloadsConfig;
  readonly #logger: Logger;
  readonly #store = new TrustBundleStore();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(config: WorkloadsConfig, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
  }

  get current(): TrustBundles {
    return this.#store.current;
  }

  /** @throws Error where a bundle that is configured cannot be had: nothing starts on less than was asked for. */
  start(): void {
    for (const { trustDomain, file } of this.#config.trustBundles) {
      const bundle = readBundleFile(trustDomain, file);
      if (isDenial(bundle)) throw new Error(bundle.detail);
      this.#store.put(bundle);
      this.#schedule(trustDomain, file);
    }
  }

  /** Reads every file again, now. */
  refresh(): void {
    for (const { trustDomain, file } of this.#config.trustBundles) this.#refresh(trustDomain, file);
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #refresh(trustDomain: string, file: string): void {
    const bundle = readBundleFile(trustDomain, file);
    const problem = isDenial(bundle) ? bundle.detail : this.#store.put(bundle);
    if (problem !== undefined) this.#logger.warn({ trustDomain, problem }, 'trust bundle not taken');
  }

  #schedule(trustDomain: string, file: string): void {
    const hint = this.#store.current.get(trustDomain)?.refreshHintSeconds ?? DEFAULT_REFRESH_SECONDS;
    const seconds = Math.min(Math.max(hint, MIN_REFRESH_SECONDS), MAX_REFRESH_SECONDS);
    const timer = setTimeout(() => {
      this.#refresh(trustDomain, file);
      this.#schedule(trustDomain, file);
    }, seconds * 1000).unref();
    this.#timers.set(trustDomain, timer);
  }
}
