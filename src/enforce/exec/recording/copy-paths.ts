import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Denial, deny, isDenial } from '../../../denial/index.ts';
import { closePaths, type GrantedPath, O_PATH } from '../granted-path.ts';
import { identityOf, lineageOf } from '../path-lineage.ts';
import { type CopiedEntry, type CopyBounds, type LeftOut, looksLikeDomain, TreeCopy } from './tree-copy.ts';

/** Copies of granted paths, which a recorded run has in their place. */
export interface PathCopies {
  /** To be bound where the paths lie; whoever takes them closes them. */
  readonly standIns: readonly GrantedPath[];
  /** Everything that was copied, with what it looked like before the program ran. */
  readonly entries: readonly CopiedEntry[];
  readonly leftOut: LeftOut;
}

export interface CopyOptions {
  /** Empty, and nobody else's. */
  readonly folder: string;
  /** Folders that are not copied: trust domains. Others of their kind are left out, too. */
  readonly excluded: readonly string[];
  readonly bounds?: CopyBounds;
  readonly signal?: AbortSignal;
}

export const COPY_BOUNDS: CopyBounds = {
  maxBytes: 512 * 1024 * 1024,
  maxEntries: 20_000,
  maxDepth: 64,
};

/**
 * Copies granted paths, so that a program can run on them and nothing of the machine changes. Of what is granted for
 * reading, nobody may write the copies. They are bound writable nevertheless: the kernel notes no access times on what is
 * mounted read-only, and those tell what was used.
 *
 * @returns `request.too_large` beyond the bounds; `scope.arguments_not_granted` for a path within a trust domain.
 */
export async function copyPaths(
  paths: readonly GrantedPath[],
  { folder, excluded, bounds = COPY_BOUNDS, signal }: CopyOptions,
): Promise<PathCopies | Denial> {
  const secret = new Set(excluded.flatMap((path) => identityOf(path) ?? []));
  const tree = new TreeCopy({ secret, bounds, ...(signal === undefined ? {} : { signal }) });
  const standIns: GrantedPath[] = [];
  try {
    for (const [index, granted] of paths.entries()) {
      if (lineageOf(granted.path).some((own) => secret.has(own)) || liesInDomain(granted)) {
        closePaths(standIns);
        return deny('scope.arguments_not_granted', 'a granted path lies in a trust domain');
      }
      const copy = join(folder, `${index}`);
      const refused = await copyOne(tree, granted, copy);
      if (refused !== undefined) {
        closePaths(standIns);
        return refused;
      }
      standIns.push(standInFor(granted, copy));
    }
    return { standIns, entries: tree.finish(), leftOut: tree.leftOut };
  } catch (error) {
    closePaths(standIns);
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return deny('request.malformed', `a granted path cannot be copied: ${code}`);
  }
}

/** Also where nobody named that domain: its keys are no more for the program to see. */
function liesInDomain({ path, file }: GrantedPath): boolean {
  const own = `/proc/self/fd/${file}`;
  if (fstatSync(file).isDirectory() && looksLikeDomain(own)) return true;
  for (let at = dirname(path); ; at = dirname(at)) {
    if (looksLikeDomain(at)) return true;
    if (at === dirname(at)) return false;
  }
}

async function copyOne(tree: TreeCopy, granted: GrantedPath, copy: string): Promise<Denial | undefined> {
  const { path, access, file } = granted;
  const own = `/proc/self/fd/${file}`;
  const isFolder = fstatSync(file).isDirectory();
  const source = openSync(isFolder ? `${own}/.` : own, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const at = { path, copy, access, depth: 0 };
    const refused = isFolder ? await tree.copyFolder(source, at) : tree.copyFile(source, at);
    return isDenial(refused) ? refused : undefined;
  } finally {
    closeSync(source);
  }
}

function standInFor({ path }: GrantedPath, source: string): GrantedPath {
  const file = openSync(source, O_PATH | constants.O_NOFOLLOW);
  const { dev: device, ino: inode } = fstatSync(file, { bigint: true });
  return { path, source, access: 'write', device, inode, file };
}
