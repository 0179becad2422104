import { type FSWatcher, watch } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isForeignFolder, type WatchTarget } from './watch-target.ts';

/** Each is an inotify watch, of which the kernel has a limited number for all of a user's programs. */
const MAX_WATCHED = 4096;
const MAX_DEPTH = 32;

interface Watched {
  readonly watcher: FSWatcher;
  /** Of what stood at the path when it was watched: another one that takes its place must be watched anew. */
  readonly identity: string;
  /** Entries that matter; undefined: whatever is in there. */
  names: ReadonlySet<string> | undefined;
}

/** By path, the entries of it that matter; undefined: whatever is in there. */
type Wanted = Map<string, Set<string> | undefined>;

/**
 * Watches files and whole folders, and the way to them: a link that leads elsewhere, a file or a folder that another one
 * is renamed over, are changes too. What is beyond its bound, or cannot be watched, is not: a timer has to see to it.
 */
export class PathWatchers {
  readonly #onTouched: () => void;
  readonly #watched = new Map<string, Watched>();
  /** One after the other: none sees what another has begun. */
  #covering: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** @param onTouched called for every event, which may be many for one change. */
  constructor(onTouched: () => void) {
    this.#onTouched = onTouched;
  }

  /**
   * Watches these from now on, and nothing else.
   *
   * @returns whether something is watched now that was not: what was read of it before may have changed since.
   */
  cover(targets: readonly WatchTarget[]): Promise<boolean> {
    const covered = this.#covering.then(() => this.#cover(targets)).catch(() => false);
    this.#covering = covered;
    return covered;
  }

  async #cover(targets: readonly WatchTarget[]): Promise<boolean> {
    const wanted: Wanted = new Map();
    for (const target of targets) await addWay(wanted, target.path);
    for (const target of targets) if (target.isTree === true) await addTree(wanted, target);
    for (const [path, { watcher }] of this.#watched) {
      if (wanted.has(path)) continue;
      watcher.close();
      this.#watched.delete(path);
    }
    let isNew = false;
    for (const [path, names] of wanted) isNew = (await this.#watch(path, names)) || isNew;
    return isNew;
  }

  close(): void {
    this.#isClosed = true;
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
  }

  async #watch(path: string, names: Set<string> | undefined): Promise<boolean> {
    const identity = await identityOf(path);
    const known = this.#watched.get(path);
    if (known !== undefined && known.identity === identity) {
      const isMore =
        known.names !== undefined &&
        (names === undefined || [...names].some((name) => !known.names?.has(name)));
      known.names = names;
      return isMore;
    }
    known?.watcher.close();
    this.#watched.delete(path);
    if (identity === undefined || this.#isClosed) return false;
    try {
      const watcher = watch(path, { persistent: false }, (_event, name) => {
        const of = this.#watched.get(path)?.names;
        if (name !== null && (of === undefined ? isForeignFolder(name) : !of.has(name))) return;
        this.#onTouched();
      });
      watcher.on('error', () => {
        watcher.close();
        if (this.#watched.get(path)?.watcher === watcher) this.#watched.delete(path);
        this.#onTouched();
      });
      this.#watched.set(path, { watcher, identity, names });
      return true;
    } catch {
      // Gone again, or too many are watched.
      return false;
    }
  }
}

/** The file or folder itself, and its entry in every folder above it, as it is written and as it really is. */
async function addWay(wanted: Wanted, path: string): Promise<void> {
  const real = await realpath(path).catch(() => undefined);
  for (const end of real === undefined || real === path ? [path] : [path, real]) {
    for (let at = end; dirname(at) !== at; at = dirname(at)) addName(wanted, dirname(at), basename(at));
  }
  // Its own node: it may be written by another name. Of a folder, only what is in a tree matters.
  const isFolder = await stat(path).then(
    (status) => status.isDirectory(),
    () => true,
  );
  if (!isFolder && wanted.size < MAX_WATCHED) wanted.set(path, undefined);
}

function addName(wanted: Wanted, folder: string, name: string): void {
  const names = wanted.get(folder);
  if (names !== undefined) names.add(name);
  else if (!wanted.has(folder) && wanted.size < MAX_WATCHED) wanted.set(folder, new Set([name]));
}

/** Every folder of a tree: an event of a folder tells what is written to the files in it. */
async function addTree(wanted: Wanted, { path: root, except = [] }: WatchTarget): Promise<void> {
  const open = [{ path: root, depth: 0 }];
  for (let at = open.shift(); at !== undefined && wanted.size < MAX_WATCHED; at = open.shift()) {
    const { path, depth } = at;
    const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined);
    if (entries === undefined) continue;
    wanted.set(path, undefined);
    for (const entry of entries) {
      const below = join(path, entry.name);
      if (!entry.isDirectory() || isForeignFolder(entry.name) || except.includes(below)) continue;
      if (depth < MAX_DEPTH && open.length < MAX_WATCHED) open.push({ path: below, depth: depth + 1 });
    }
  }
}

async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
