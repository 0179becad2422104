import {
  accessSync,
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type Denial, deny } from '../../../denial/index.ts';
import type { GrantedPath } from '../granted-path.ts';

/** How much is copied at most. */
export interface CopyBounds {
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly maxDepth: number;
}

/** A file, folder or symbolic link that was copied, as its copy was before the program ran. */
export interface CopiedEntry {
  /** Where it lies. */
  readonly path: string;
  readonly copy: string;
  readonly kind: 'file' | 'folder' | 'link';
  /** Of what it was granted as, or lies in. */
  readonly access: GrantedPath['access'];
  readonly inode: bigint;
  readonly ctimeNs: bigint;
}

/** What has no copy. */
export interface LeftOut {
  /** Folders of trust domains. */
  readonly secret: readonly string[];
  /** How many sockets, devices and the like, and what Writ itself may not read. */
  readonly other: number;
}

interface At {
  readonly path: string;
  readonly copy: string;
  readonly access: GrantedPath['access'];
  readonly depth: number;
}

interface Made extends At {
  readonly kind: CopiedEntry['kind'];
  readonly status: BigIntStats;
  readonly isWritable: boolean;
}

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const ANY_WRITE = 0o222;
const PERMISSIONS = 0o1777;
/** Others have their turn (a signal, that is) after so many. */
const AT_ONCE = 256;

/**
 * Copies trees. INVARIANT: no symbolic link is followed, and nothing that is swapped meanwhile: every step starts from a
 * folder that is open, the first from the one that was granted.
 */
export class TreeCopy {
  readonly #bounds: CopyBounds;
  readonly #secret: ReadonlySet<string>;
  readonly #signal: AbortSignal | undefined;
  readonly #made: Made[] = [];
  readonly #leftOutSecrets: string[] = [];
  #leftOut = 0;
  #bytes = 0;

  constructor(options: {
    /** `device:inode` of folders that are left out. */
    readonly secret: ReadonlySet<string>;
    readonly bounds: CopyBounds;
    readonly signal?: AbortSignal;
  }) {
    this.#secret = options.secret;
    this.#bounds = options.bounds;
    this.#signal = options.signal;
  }

  get leftOut(): LeftOut {
    return { secret: this.#leftOutSecrets, other: this.#leftOut };
  }

  async copyFolder(source: number, at: At): Promise<Denial | undefined> {
    const here = `/proc/self/fd/${source}`;
    mkdirSync(at.copy, { mode: 0o700 });
    const full = this.#add(source, at, 'folder');
    if (full !== undefined) return full;
    for (const name of readdirSync(here).sort()) {
      if (this.#made.length % AT_ONCE === 0) await setImmediate();
      if (this.#signal?.aborted) return deny('request.malformed', 'it was interrupted');
      const inner = { ...at, path: `${at.path}/${name}`, copy: `${at.copy}/${name}`, depth: at.depth + 1 };
      const refused = await this.#copyEntry(`${here}/${name}`, inner);
      if (refused !== undefined) return refused;
    }
    return undefined;
  }

  copyFile(source: number, at: At): Denial | undefined {
    const status = fstatSync(source);
    if (!status.isFile()) {
      // Swapped since it was looked at: a pipe without a writer would be waited for, and nothing could end that.
      this.#leftOut += 1;
      return undefined;
    }
    this.#bytes += status.size;
    if (this.#bytes > this.#bounds.maxBytes) return this.#tooLarge();
    // Opened anew, but the same file.
    copyFileSync(`/proc/self/fd/${source}`, at.copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    return this.#add(source, at, 'file');
  }

  /** Gives everything its owner, mode and times, innermost first: only now that nothing more is written. */
  finish(): readonly CopiedEntry[] {
    const entries = [...this.#made].reverse().map((made): CopiedEntry => {
      const { path, copy, kind, access, status } = made;
      const isRoot = process.getuid?.() === 0;
      if (isRoot) lchownSync(copy, Number(status.uid), Number(status.gid));
      const mode = Number(status.mode) & PERMISSIONS;
      const isWritable = access === 'write' && made.isWritable;
      if (kind !== 'link') chmodSync(copy, isWritable ? mode : mode & ~ANY_WRITE);
      // Any access is later than this.
      lutimesSync(copy, 0, Number(status.mtimeMs) / 1000);
      const { ino: inode, ctimeNs } = lstatSync(copy, { bigint: true });
      return { path, copy, kind, access, inode, ctimeNs };
    });
    return entries.reverse();
  }

  async #copyEntry(source: string, at: At): Promise<Denial | undefined> {
    const status = lstatSync(source, { bigint: true, throwIfNoEntry: false });
    if (status === undefined) return undefined;
    if (status.isSymbolicLink()) {
      symlinkSync(readlinkSync(source), at.copy);
      return this.#add(status, at, 'link');
    }
    if (!status.isDirectory() && !status.isFile()) {
      this.#leftOut += 1;
      return undefined;
    }
    let descriptor: number;
    try {
      descriptor = openSync(source, status.isDirectory() ? FOLDER : FILE);
    } catch {
      // Writ may not read it, or it is gone.
      this.#leftOut += 1;
      return undefined;
    }
    try {
      if (!fstatSync(descriptor).isDirectory()) return this.copyFile(descriptor, at);
      if (at.depth > this.#bounds.maxDepth) return this.#tooLarge();
      if (!this.#isSecret(descriptor)) return await this.copyFolder(descriptor, at);
      this.#leftOutSecrets.push(at.path);
      return undefined;
    } finally {
      closeSync(descriptor);
    }
  }

  /** A trust domain: one that is named, or any other that looks like one. */
  #isSecret(folder: number): boolean {
    const { dev, ino } = fstatSync(folder, { bigint: true });
    return this.#secret.has(`${dev}:${ino}`) || looksLikeDomain(`/proc/self/fd/${folder}`);
  }

  #add(source: number | BigIntStats, at: At, kind: CopiedEntry['kind']): Denial | undefined {
    const status = typeof source === 'number' ? fstatSync(source, { bigint: true }) : source;
    this.#made.push({ ...at, kind, status, isWritable: typeof source !== 'number' || isWritable(source) });
    return this.#made.length > this.#bounds.maxEntries ? this.#tooLarge() : undefined;
  }

  #tooLarge(): Denial {
    const { maxBytes, maxEntries, maxDepth } = this.#bounds;
    return deny(
      'request.too_large',
      `what is granted is copied for a recorded run, and is more than ${Math.floor(maxBytes / 2 ** 20)} MiB, ` +
        `${maxEntries} files or ${maxDepth} levels: name less of it`,
    );
  }
}

/** Whether a folder holds what every trust domain does. */
export function looksLikeDomain(folder: string): boolean {
  const isThere = (name: string): boolean =>
    lstatSync(`${folder}/${name}`, { throwIfNoEntry: false }) !== undefined;
  return isThere('domain.json') && isThere('keys');
}

/** Copies become the caller's own, who may then write what is not theirs. As root, they keep their owner. */
function isWritable(source: number): boolean {
  if (process.getuid?.() === 0) return true;
  try {
    accessSync(`/proc/self/fd/${source}`, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
