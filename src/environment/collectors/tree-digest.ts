import type { BigIntStats, Dirent } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { canonicalize, type Digest, digestOf, type JsonValue } from '../../codec/index.ts';
import { digestFile } from './file-digest.ts';

const TREE_TAG = 'writ/tree@v1';
const MAX_FILES = 10_000;
const MAX_DEPTH = 32;
/** Larger trees are not measured: reading one would hold up the start for seconds. */
const MAX_TREE_BYTES = 1024 * 1024 * 1024;
/** As many as libuv's pool works on at a time, doubled to keep it busy. */
const IN_FLIGHT = 8;

export interface TreeOptions {
  /** Folders or files below the root to take, by relative path; all of it when absent. Missing ones are skipped. */
  readonly only?: readonly string[];
  /** Entries to leave out, by their name and their path below the root. */
  readonly skip?: (name: string, path: string) => boolean;
  /** Whether it counts that a file may be executed, and that there is something which is no file (a pipe, a socket). */
  readonly modes?: boolean;
}

/**
 * Digest of a folder: SHA-256 over `writ/tree@v1\n` and the JCS of `[[path, digest], …]`, sorted by path
 * (spec/environment.md §4). Symbolic links count by their target's bytes and are not followed. Undefined where anything
 * cannot be read, or there is more than a package would have.
 */
export async function digestTree(root: string, options: TreeOptions = {}): Promise<Digest | undefined> {
  try {
    const found = await listFiles(root, options);
    if (found === undefined) return undefined;
    const files = await digestAll(root, found, options.modes === true);
    return files && digestOf(`${TREE_TAG}\n${canonicalize(files)}`);
  } catch {
    return undefined;
  }
}

interface FoundFile {
  /** Relative to the root, with slashes. Names are bytes: not every one is text. */
  readonly path: Buffer;
  /** How the digest has it: text, or its bytes in hex where they are not UTF-8. */
  readonly name: string | { readonly hex: string };
  readonly kind: 'file' | 'link' | 'special';
}

async function listFiles(root: string, { only, skip, modes }: TreeOptions): Promise<FoundFile[] | undefined> {
  const found: FoundFile[] = [];
  const open: { path: Buffer; depth: number }[] = [{ path: Buffer.alloc(0), depth: 0 }];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const { path: folderPath, depth } = folder;
    for (const entry of await readdir(below(root, folderPath), { withFileTypes: true, encoding: 'buffer' })) {
      const path = depth === 0 ? entry.name : Buffer.concat([folderPath, SLASH, entry.name]);
      const name = entry.name.toString();
      if (skip?.(name, path.toString())) continue;
      if (depth === 0 && only !== undefined && !only.includes(name)) continue;
      if (entry.isDirectory()) {
        open.push({ path, depth: depth + 1 });
        continue;
      }
      const kind = kindOf(entry);
      if (kind !== 'special' || modes === true) found.push({ path, name: nameOf(path), kind });
    }
    if (found.length > MAX_FILES || open.length > MAX_FILES || depth > MAX_DEPTH) return undefined;
  }
  return found.sort((left, right) => (orderOf(left) < orderOf(right) ? -1 : 1));
}

function kindOf(entry: Dirent<Buffer>): FoundFile['kind'] {
  return entry.isFile() ? 'file' : entry.isSymbolicLink() ? 'link' : 'special';
}

const SLASH = Buffer.from('/');

function below(root: string, path: Buffer): Buffer {
  return Buffer.concat([Buffer.from(root), SLASH, path]);
}

function nameOf(path: Buffer): FoundFile['name'] {
  const text = path.toString();
  return Buffer.from(text).equals(path) ? text : { hex: path.toString('hex') };
}

/** Text first, and bytes after every text. */
function orderOf({ name }: FoundFile): string {
  return typeof name === 'string' ? name : `\uffff${name.hex}`;
}

async function digestAll(
  root: string,
  found: readonly FoundFile[],
  modes: boolean,
): Promise<JsonValue[] | undefined> {
  const files: JsonValue[] = [];
  let bytes = 0n;
  for (let start = 0; start < found.length; start += IN_FLIGHT) {
    const batch = found.slice(start, start + IN_FLIGHT).map(async ({ path, name, kind }) => {
      const at = below(root, path);
      const status = await lstat(at, { bigint: true });
      bytes += status.size;
      if (bytes > MAX_TREE_BYTES) return undefined;
      const digest = await digestOne(at, kind);
      const row = [typeof name === 'string' ? name : { ...name }, digest ?? ''];
      return digest === undefined ? undefined : modes && mayRun(kind, status) ? [...row, 'x'] : row;
    });
    for (const row of await Promise.all(batch)) {
      if (row === undefined) return undefined;
      files.push(row);
    }
  }
  return files;
}

async function digestOne(at: Buffer, kind: FoundFile['kind']): Promise<string | undefined> {
  if (kind === 'file') return digestFile(at);
  if (kind === 'special') return 'special';
  const target = await readlink(at, { encoding: 'buffer' });
  const text = target.toString();
  return Buffer.from(text).equals(target) ? `link:${text}` : `link-hex:${target.toString('hex')}`;
}

function mayRun(kind: FoundFile['kind'], { mode }: BigIntStats): boolean {
  return kind === 'file' && (mode & 0o111n) !== 0n;
}
