import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalize, type Digest, digestOf } from '../../codec/index.ts';
import { digestFile } from './file-digest.ts';

const TREE_TAG = 'writ/tree@v1';
const MAX_FILES = 10_000;
const MAX_DEPTH = 32;
/** As many as libuv's pool works on at a time, doubled to keep it busy. */
const IN_FLIGHT = 8;

export interface TreeOptions {
  /** Folders or files below the root to take, by relative path; all of it when absent. Missing ones are skipped. */
  readonly only?: readonly string[];
  /** Names of entries to leave out, at any depth. */
  readonly skip?: (name: string) => boolean;
}

/**
 * Digest of a folder: SHA-256 over `writ/tree@v1\n` and the JCS of `[[path, digest], …]`, sorted by path
 * (spec/environment.md §4). Symbolic links count by their target's text and are not followed. Undefined where anything
 * cannot be read, or there is more than a package would have.
 */
export async function digestTree(root: string, options: TreeOptions = {}): Promise<Digest | undefined> {
  try {
    const found = await listFiles(root, options);
    if (found === undefined) return undefined;
    const files = await digestAll(root, found);
    return files && digestOf(`${TREE_TAG}\n${canonicalize(files)}`);
  } catch {
    return undefined;
  }
}

interface FoundFile {
  /** Relative to the root, with slashes. */
  readonly path: string;
  readonly isLink: boolean;
}

async function listFiles(root: string, { only, skip }: TreeOptions): Promise<FoundFile[] | undefined> {
  const found: FoundFile[] = [];
  const open: { path: string; depth: number }[] = [{ path: '', depth: 0 }];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const { path: folderPath, depth } = folder;
    for (const entry of await readdir(join(root, folderPath), { withFileTypes: true })) {
      if (skip?.(entry.name)) continue;
      if (depth === 0 && only !== undefined && !only.includes(entry.name)) continue;
      const path = folderPath === '' ? entry.name : `${folderPath}/${entry.name}`;
      if (entry.isDirectory()) open.push({ path, depth: depth + 1 });
      else if (entry.isFile() || entry.isSymbolicLink()) found.push({ path, isLink: entry.isSymbolicLink() });
    }
    if (found.length > MAX_FILES || open.length > MAX_FILES || depth > MAX_DEPTH) return undefined;
  }
  return found.sort((left, right) => (left.path < right.path ? -1 : 1));
}

async function digestAll(
  root: string,
  found: readonly FoundFile[],
): Promise<[path: string, digest: string][] | undefined> {
  const files: [string, string][] = [];
  for (let start = 0; start < found.length; start += IN_FLIGHT) {
    const batch = found.slice(start, start + IN_FLIGHT).map(async ({ path, isLink }) => {
      const at = join(root, path);
      return { path, digest: isLink ? `link:${await readlink(at)}` : await digestFile(at) };
    });
    for (const { path, digest } of await Promise.all(batch)) {
      if (digest === undefined) return undefined;
      files.push([path, digest]);
    }
  }
  return files;
}
