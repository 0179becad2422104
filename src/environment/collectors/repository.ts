import { stat } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { digestOf } from '../../codec/index.ts';
import type { Component } from '../component.ts';
import { readBoundedText } from './bounded-text.ts';
import { foldersUp } from './nearest.ts';
import { digestTree } from './tree-digest.ts';
import { isForeignFolder, type OnRead } from './watch-target.ts';

const MAX_BYTES = 1024 * 1024;
const MAX_PACKED_REFS_BYTES = 16 * 1024 * 1024;
const OBJECT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
/** As git-check-ref-format(1) allows them, as far as it matters to where they are read. */
const REF = /^ref: (refs\/[^\p{Cc}\s~^:?*[\\]{1,200})$/u;
/** As many links between refs as git itself follows. */
const MAX_LINKS = 5;

export interface RepositoryOptions {
  /** Of the trust domain: what is in there changes with every decision. */
  readonly homeFolder?: string;
  readonly onRead?: OnRead;
}

/**
 * The git repository around a folder (spec/environment.md §4): its commit, and its working tree as it is, ignored files,
 * submodules and all, but for folders of packages. A working tree that differs from the one that was enrolled, with the
 * same commit, is a dirty one.
 *
 * INVARIANT: git itself is not run, and nothing of the repository is but read: its configuration can make git run
 * anything, and its index can make git call a changed file unchanged.
 */
export async function measureRepository(
  folder: string,
  { homeFolder, onRead }: RepositoryOptions = {},
): Promise<Component[]> {
  const root = await findRoot(folder);
  if (root === undefined) return [];
  const name = printable(basename(root));
  const except = [join(root, '.writ'), ...(homeFolder === undefined ? [] : [resolve(homeFolder)])];
  onRead?.({ path: root, isTree: true, except });
  const [commit, tree] = await Promise.all([
    readCommit(root, onRead),
    digestTree(root, {
      skip: (entry, path) => isForeignFolder(entry) || except.includes(join(root, path)),
      modes: true,
    }),
  ]);
  return [
    ...(commit === undefined ? [] : [{ kind: 'commit', name, digest: digestOf(`git ${commit}`) }]),
    ...(tree === undefined ? [] : [{ kind: 'worktree', name, digest: tree }]),
  ];
}

async function findRoot(folder: string): Promise<string | undefined> {
  for (const at of foldersUp(resolve(folder))) {
    if (await exists(join(at, '.git'))) return at;
  }
  return undefined;
}

/** What HEAD leads to, through the refs it names, loose or packed (gitrepository-layout(5)). */
async function readCommit(root: string, onRead: OnRead | undefined): Promise<string | undefined> {
  const folder = await gitFolder(root);
  if (folder === undefined) return undefined;
  const read = (path: string, maxBytes = MAX_BYTES) => {
    onRead?.({ path });
    return readBoundedText(path, maxBytes);
  };
  // Of a linked working tree, branches are in the folder that it shares.
  const common = (await read(join(folder, 'commondir')))?.trim();
  const places = common === undefined ? [folder] : [folder, resolve(folder, common)];
  let at = (await read(join(folder, 'HEAD')))?.trim();
  for (let links = 0; links <= MAX_LINKS; links += 1) {
    if (at === undefined || OBJECT.test(at)) return at;
    const ref = REF.exec(at)?.[1];
    if (ref === undefined || ref.split('/').some((part) => part === '' || part.startsWith('.')))
      return undefined;
    at = await readRef(ref, places, read);
  }
  return undefined;
}

/** A loose ref comes before a packed one, whatever is in it: an old value must not stand in for one that is not understood. */
async function readRef(
  ref: string,
  places: readonly string[],
  read: (path: string, maxBytes?: number) => Promise<string | undefined>,
): Promise<string | undefined> {
  for (const place of places) {
    const path = join(place, ref);
    const loose = (await read(path))?.trim();
    if (loose !== undefined || (await isFile(path))) return loose;
    const packed = (await read(join(place, 'packed-refs'), MAX_PACKED_REFS_BYTES))
      ?.split('\n')
      .find((line) => line.endsWith(` ${ref}`));
    if (packed !== undefined) return packed.slice(0, packed.indexOf(' '));
  }
  return undefined;
}

/** `.git` is a folder, or a file that names one. */
async function gitFolder(root: string): Promise<string | undefined> {
  const path = join(root, '.git');
  const text = await readBoundedText(path, MAX_BYTES);
  if (text === undefined) return path;
  const named = /^gitdir: (.+)$/m.exec(text)?.[1];
  if (named === undefined) return undefined;
  return isAbsolute(named) ? named : join(root, named);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Whether there is something that is no folder. */
async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => !status.isDirectory(),
    () => false,
  );
}

function printable(name: string): string {
  return name.replace(/[^\x21-\x7e]/g, '_').slice(0, 255) || 'repository';
}
