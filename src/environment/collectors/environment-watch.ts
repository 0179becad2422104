import { statSync } from 'node:fs';
import type { Component } from '../component.ts';
import { fileIdentity } from './file-digest.ts';
import { PathWatchers } from './path-watchers.ts';
import type { OnRead, WatchTarget } from './watch-target.ts';

export interface EnvironmentWatchOptions {
  /** Tells what it reads: that is watched from then on. */
  readonly measure: (onRead: OnRead) => Promise<readonly Component[]>;
  /** Files and folders that are watched beside that. One that is not there is looked for again with every measuring. */
  readonly paths?: readonly string[];
  /** Measured again after so long whatever was seen: not everything that changes can be watched. */
  readonly everyMs: number;
  /** Called with every measuring after the first, whether or not it found the same. */
  readonly onMeasured: (components: readonly Component[]) => void;
}

/** Editors write a file in several steps: they count as one. */
const SETTLE_MS = 20;
/** Where a tree is written to all the time, measuring takes no more than a fifth of it. */
const REST = 4;
const MAX_REST_MS = 5000;

/**
 * A measured environment that is kept true: measured again when what it was read from changes, and on a timer.
 *
 * INVARIANT: `measure` answers from memory only while no watched path was told to have changed, and each has the status it
 * had; that costs a `stat` each and reads nothing. What was read before it was watched is measured once more.
 */
export class EnvironmentWatch {
  readonly #options: EnvironmentWatchOptions;
  readonly #watchers: PathWatchers;
  #targets: readonly WatchTarget[];
  #known: { readonly components: readonly Component[]; readonly status: string | undefined } | undefined;
  #measuring: Promise<readonly Component[]> | undefined;
  #isDirty = false;
  #settling: NodeJS.Timeout | undefined;
  #restMs = SETTLE_MS;
  readonly #timer: NodeJS.Timeout;
  #isStopped = false;

  constructor(options: EnvironmentWatchOptions) {
    this.#options = options;
    this.#targets = (options.paths ?? []).map((path) => ({ path }));
    this.#watchers = new PathWatchers(() => this.#touched());
    this.#timer = setInterval(() => this.#again(), options.everyMs).unref();
  }

  /** What the environment is now. Rejects where measuring does. */
  async measure(): Promise<readonly Component[]> {
    if (this.#measuring !== undefined && this.#isDirty) {
      // What has changed since it began may have been read before: it is measured once more, when that one has ended.
      await this.#measuring.catch(() => undefined);
      return this.measure();
    }
    const known = this.#known;
    if (known !== undefined && !this.#isDirty && known.status === this.#status()) return known.components;
    this.#measuring ??= this.#measureAll().finally(() => {
      this.#measuring = undefined;
    });
    return this.#measuring;
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#settling);
    this.#watchers.close();
  }

  async #measureAll(): Promise<readonly Component[]> {
    await this.#watchers.cover(this.#targets);
    this.#isDirty = false;
    const status = this.#status();
    const startedMs = performance.now();
    const read = new Map(this.#options.paths?.map((path) => [path, { path }]));
    const components = await this.#options.measure((target) => {
      if (target.isTree === true || !read.has(target.path)) read.set(target.path, target);
    });
    this.#restMs = Math.max(SETTLE_MS, Math.min(MAX_REST_MS, (performance.now() - startedMs) * REST));
    const isMore = this.#watch([...read.values()]);
    const isFirst = this.#known === undefined;
    this.#known = { components, status: isMore ? undefined : status };
    if (!isFirst && !this.#isStopped) this.#options.onMeasured(components);
    return components;
  }

  /** What was read for the first time may have changed by the time it is watched. @returns whether there is such. */
  #watch(targets: readonly WatchTarget[]): boolean {
    const paths = (of: readonly WatchTarget[]) =>
      of.map(({ path, isTree }) => `${isTree} ${path}`).join('\n');
    if (paths(targets) === paths(this.#targets)) return false;
    this.#targets = targets;
    // Nobody who starts waits for it.
    void this.#watchers.cover(targets).then((isNew) => isNew && this.#touched());
    return true;
  }

  #again(): void {
    if (this.#isStopped) return;
    this.#isDirty = true;
    this.measure().catch(() => {
      this.#isDirty = true;
      // What cannot be measured is not there: a binding on it does not hold, until it can be again.
      if (!this.#isStopped) this.#options.onMeasured([]);
    });
  }

  #touched(): void {
    this.#isDirty = true;
    if (this.#isStopped) return;
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#again();
    }, this.#restMs).unref();
  }

  #status(): string {
    return this.#targets
      .map(({ path }) => {
        try {
          return fileIdentity(statSync(path, { bigint: true }));
        } catch {
          return '-';
        }
      })
      .join('\n');
  }
}
