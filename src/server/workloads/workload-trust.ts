import { isDenial } from '../../denial/index.ts';
import { WorkloadApi } from '../../mesh/index.ts';
import { type TrustBundle, TrustBundleStore, type TrustBundles } from '../../workload/index.ts';
import type { WorkloadsConfig } from '../config/index.ts';
import type { Logger } from '../daemon/logger.ts';
import { readBundleFile } from './read-bundle-file.ts';

/** What a bundle says nothing about: SPIFFE Trust Domain and Bundle §4.1.2. */
const DEFAULT_REFRESH_SECONDS = 300;
const MIN_REFRESH_SECONDS = 5;
const MAX_REFRESH_SECONDS = 3600;

/**
 * The trust bundles of a daemon, kept as new as their sources. A file that cannot be read anew stands as it was read last; a
 * trust domain that the Workload API no longer tells of, or tells of unreadably, is not trusted any more.
 *
 * INVARIANT: each trust domain has one source: what a file says, the Workload API does not change.
 */
export class WorkloadTrust {
  readonly #config: WorkloadsConfig;
  readonly #logger: Logger;
  readonly #store = new TrustBundleStore();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Trust domains that the Workload API told of. */
  #told: ReadonlySet<string> = new Set();
  #api: WorkloadApi | undefined;

  constructor(config: WorkloadsConfig, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
  }

  get current(): TrustBundles {
    return this.#store.current;
  }

  /**
   * Resolves when the files are read and the Workload API is being asked: its answer may come later.
   *
   * @throws Error where a bundle that is configured cannot be had: nothing starts on less than was asked for.
   */
  async start(): Promise<void> {
    for (const { trustDomain, file } of this.#config.trustBundles) {
      const bundle = readBundleFile(trustDomain, file);
      if (isDenial(bundle)) throw new Error(bundle.detail);
      this.#store.put(bundle);
      this.#schedule(trustDomain, file);
    }
    const { workloadApi: endpoint } = this.#config;
    if (endpoint === undefined) return;
    this.#api = await WorkloadApi.open({ endpoint });
    this.#api.watchTrustBundles({
      onUpdate: (bundles) => this.#take(bundles),
      onProblem: (problem) => this.#logger.warn({ endpoint, problem }, 'Workload API'),
    });
  }

  #take(bundles: readonly TrustBundle[]): void {
    const fromFiles = new Set(this.#config.trustBundles.map(({ trustDomain }) => trustDomain));
    const told = bundles.filter(({ trustDomain }) => !fromFiles.has(trustDomain));
    const names = new Set(told.map(({ trustDomain }) => trustDomain));
    for (const name of this.#told) if (!names.has(name)) this.#store.remove(name);
    for (const bundle of told) this.#store.put(bundle);
    this.#told = names;
  }

  /** Reads every file again, now. */
  refresh(): void {
    for (const { trustDomain, file } of this.#config.trustBundles) this.#refresh(trustDomain, file);
  }

  close(): void {
    this.#api?.close();
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
