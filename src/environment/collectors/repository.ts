import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { digestOf } from '../../codec/index.ts';
import type { Component } from '../component.ts';
import { digestTree } from './tree-digest.ts';

const MAX_BYTES = 1024 * 1024;
const OBJECT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const REF = /^ref: (refs\/[A-Za-z0-9][A-Za-z0-9._/-]{0,200})$/;

/**
 * The git repository around a folder (spec/environment.md §4): its commit, and its working tree as it is, but for ignored
 * folders of packages. A working tree that differs from the one that was enrolled, with the same commit, is a dirty one.
 *
 * Git itself is not run: a repository's configuration can make it run anything.
 */
export async function measureRepository(folder: string): Promise<Component[]> {
  const root = await findRoot(folder);
  if (root === undefined) return [];
  const name = printable(basename(root));
  const [commit, tree] = await Promise.all([
    readCommit(root),
    digestTree(root, { skip: (entry) => entry === '.git' || entry === 'node_modules' || entry === '.writ' }),
  ]);
  return [
    ...(commit === undefined ? [] : [{ kind: 'commit', name, digest: digestOf(`git ${commit}`) }]),
    ...(tree === undefined ? [] : [{ kind: 'worktree', name, digest: tree }]),
  ];
}

async function findRoot(folder: string): Promise<string | undefined> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (await exists(join(at, '.git'))) return at;
    if (at === dirname(at)) return undefined;
  }
}

/** What HEAD leads to, through the refs it names, loose or packed (gitrepository-layout(5)). */
async function readCommit(root: string): Promise<string | undefined> {
  const folder = await gitFolder(root);
  const head = folder && (await readText(join(folder, 'HEAD')))?.trim();
  if (folder === undefined || head === undefined) return undefined;
  if (OBJECT.test(head)) return head;
  const ref = REF.exec(head)?.[1];
  if (ref === undefined || ref.includes('..')) return undefined;
  // Of a linked working tree, branches are in the folder that it shares.
  const common = (await readText(join(folder, 'commondir')))?.trim();
  for (const at of common === undefined ? [folder] : [folder, resolve(folder, common)]) {
    const loose = (await readText(join(at, ref)))?.trim();
    if (loose !== undefined && OBJECT.test(loose)) return loose;
    const packed = (await readText(join(at, 'packed-refs')))
      ?.split('\n')
      .find((line) => line.endsWith(` ${ref}`));
    const object = packed?.split(' ')[0];
    if (object !== undefined && OBJECT.test(object)) return object;
  }
  return undefined;
}

/** `.git` is a folder, or a file that names one. */
async function gitFolder(root: string): Promise<string | undefined> {
  const path = join(root, '.git');
  const text = await readText(path);
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

async function readText(path: string): Promise<string | undefined> {
  try {
    const bytes = await readFile(path);
    return bytes.byteLength > MAX_BYTES ? undefined : bytes.toString('utf8');
  } catch {
    return undefined;
  }
}

function printable(name: string): string {
  return name.replace(/[^\x21-\x7e]/g, '_').slice(0, 255) || 'repository';
}
