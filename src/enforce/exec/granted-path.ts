import { closeSync, constants, fstatSync, openSync, readlinkSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { isBeneath, lineageOf } from './path-lineage.ts';
import { findUngrantable, type OpenedPath } from './ungrantable-path.ts';

/**
 * A path that a program is to see. The file was opened when the path was resolved: what is bound into the sandbox must be
 * this very file, whatever the path leads to by then; it being open keeps its inode from being reused.
 */
export interface GrantedPath extends OpenedPath {
  /** What is bound there, where that is not what lies there: a copy, of a recorded run. */
  readonly source?: string;
  readonly device: bigint;
  readonly inode: bigint;
}

/** Of open(2): names a file, and neither reads nor writes it. */
export const O_PATH = 0o10000000;
const MAX_PATHS = 128;

export interface PathAsk {
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** What relative paths are relative to. */
  readonly cwd: string;
  /** Folders that no program may see: Writ's keys lie there. */
  readonly hidden: readonly string[];
}

/**
 * Resolves and opens what is asked for. To be closed with {@link closePaths}.
 *
 * @returns `request.malformed` for a path that is not there; `scope.arguments_not_granted` for one that is never granted.
 */
export function openPaths({ read, write, cwd, hidden }: PathAsk): readonly GrantedPath[] | Denial {
  const opened: GrantedPath[] = [];
  const refuse = (denial: Denial): Denial => {
    closePaths(opened);
    return denial;
  };
  if (read.length + write.length > MAX_PATHS) return deny('request.too_large', 'too many paths are granted');
  const asked = [
    ...read.map((path) => ({ path, access: 'read' as const })),
    ...write.map((path) => ({ path, access: 'write' as const })),
  ];
  const secrets = hidden.map((folder) => ({
    path: canonical(folder),
    lineage: lineageOf(canonical(folder)),
  }));
  for (const { path, access } of asked) {
    const granted = openPath(resolve(cwd, path), access);
    if (isDenial(granted)) return refuse(granted);
    opened.push(granted);
    const wrong = findWrong(granted, opened.slice(0, -1), secrets);
    if (wrong !== undefined) return refuse(deny('scope.arguments_not_granted', wrong));
  }
  return opened.sort((left, right) => (left.path < right.path ? -1 : 1));
}

export function closePaths(paths: readonly GrantedPath[]): void {
  for (const { file } of paths) closeSync(file);
}

function openPath(path: string, access: GrantedPath['access']): GrantedPath | Denial {
  if (path.includes('\0') || path.length > 4096 || !path.isWellFormed()) {
    return deny('request.malformed', 'a granted path is malformed');
  }
  let file: number;
  let real: string;
  try {
    real = realpathSync(path);
    file = openSync(real, O_PATH | constants.O_NOFOLLOW);
  } catch {
    return deny('request.malformed', 'a granted path is not there');
  }
  // Where a folder on the way was swapped in between, the file that was opened lies elsewhere.
  const status = fstatSync(file, { bigint: true });
  if (readlinkSync(`/proc/self/fd/${file}`) !== real || !(status.isFile() || status.isDirectory())) {
    closeSync(file);
    return deny('request.malformed', 'a granted path is neither a file nor a folder');
  }
  return { path: real, access, device: status.dev, inode: status.ino, file };
}

/** A folder that no program may see. */
interface Secret {
  readonly path: string;
  /** What it is, and what it lies in, however that is called elsewhere (a bind mount is the same folder). */
  readonly lineage: readonly string[];
}

function findWrong(
  asked: GrantedPath,
  others: readonly GrantedPath[],
  secrets: readonly Secret[],
): string | undefined {
  const { path } = asked;
  const [granted = '', ...above] = lineageOf(path);
  const isSecret = ({ path: folder, lineage: [own = '', ...around] }: Secret): boolean =>
    isBeneath(path, folder) ||
    isBeneath(folder, path) ||
    own === granted ||
    above.includes(own) ||
    around.includes(granted);
  if (secrets.some(isSecret)) {
    return 'a granted path holds the keys of the trust domain';
  }
  const wrong = findUngrantable(asked);
  if (wrong !== undefined) return wrong;
  // One within another could be swapped by the program that writes there, before it is bound.
  if (others.some((other) => isBeneath(other.path, path) || isBeneath(path, other.path))) {
    return 'granted paths lie within each other';
  }
  return undefined;
}

function canonical(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
