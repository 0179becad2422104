import { type FSWatcher, statSync, watch } from 'node:fs';
import type { Component } from '../component.ts';

export interface EnvironmentWatchOptions {
  readonly measure: () => Promise<readonly Component[]>;
  /** Files and folders that are measured. One that is not there is looked for again with every measuring. */
  readonly paths: readonly string[];
  /** Measured again after so long whatever was seen: not everything that changes can be watched. */
  readonly everyMs: number;
  /** Called with every measuring after the first, whether or not it found the same. */
  readonly onMeasured: (components: readonly Component[]) => void;
}

/** Editors write a file in several steps: they count as one. */
const SETTLE_MS = 20;

/**
 * A measured environment that is kept true: measured again when a watched path changes, and on a timer.
 *
 * INVARIANT: `measure` answers from memory only while no watched path was told to have changed, and each has the status it
 * had; that costs a `stat` each and reads nothing.
 */
export class EnvironmentWatch {
  readonly #options: EnvironmentWatchOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  #known: { readonly components: readonly Component[]; readonly status: string } | undefined;
  #measuring: Promise<readonly Component[]> | undefined;
  #isDirty = false;
  #settling: NodeJS.Timeout | undefined;
  readonly #timer: NodeJS.Timeout;
  #isStopped = false;

  constructor(options: EnvironmentWatchOptions) {
    this.#options = options;
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
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #measureAll(): Promise<readonly Component[]> {
    this.#watchAll();
    this.#isDirty = false;
    const status = this.#status();
    const components = await this.#options.measure();
    const isFirst = this.#known === undefined;
    this.#known = { components, status };
    if (!isFirst && !this.#isStopped) this.#options.onMeasured(components);
    return components;
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

  #watchAll(): void {
    for (const path of this.#options.paths) {
      if (this.#isStopped || this.#watchers.has(path)) continue;
      try {
        const watcher = watch(path, { persistent: false }, () => this.#touched());
        watcher.on('error', () => {
          watcher.close();
          this.#watchers.delete(path);
          this.#touched();
        });
        this.#watchers.set(path, watcher);
      } catch {
        // Not there, or too many are watched: its status and the timer tell.
      }
    }
  }

  #touched(): void {
    this.#isDirty = true;
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#again();
    }, SETTLE_MS).unref();
  }

  #status(): string {
    return this.#options.paths
      .map((path) => {
        const status = statSync(path, { bigint: true, throwIfNoEntry: false });
        return status === undefined
          ? '-'
          : `${status.dev}:${status.ino}:${status.size}:${status.mtimeNs}:${status.ctimeNs}`;
      })
      .join('\n');
  }
}
