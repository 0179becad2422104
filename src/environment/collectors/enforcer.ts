import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Component } from '../component.ts';
import { digestFile, isDigestKnown } from './file-digest.ts';
import { nearestLockfile, nearestPackage } from './nearest.ts';
import { digestTree } from './tree-digest.ts';
import type { OnRead } from './watch-target.ts';

/**
 * Measures the enforcer itself (spec/environment.md §4): the Node binary, Writ's own files, and the lockfile of what
 * they import. What cannot be read is left out, so that a binding on it does not hold.
 */
export async function measureEnforcer(onRead?: OnRead): Promise<Component[]> {
  const [node, writ] = await Promise.all([measureNode(), measureWrit(onRead)]);
  return [...node, ...writ];
}

/** The running image, even where another file has taken its path since. */
const IMAGE = process.platform === 'linux' ? '/proc/self/exe' : process.execPath;

/** Whether measuring is a matter of milliseconds: the Node binary, by far the largest file, need not be read. */
export async function isEnforcerKnown(): Promise<boolean> {
  return isDigestKnown(IMAGE);
}

async function measureNode(): Promise<Component[]> {
  const digest = await digestFile(IMAGE);
  return digest === undefined ? [] : [{ kind: 'node', name: process.version, digest }];
}

async function measureWrit(onRead: OnRead | undefined): Promise<Component[]> {
  const here = dirname(fileURLToPath(import.meta.url));
  const home = await nearestPackage(here);
  if (home === undefined) return [];
  // `src` when run from sources, `dist` when installed.
  const [sources = ''] = relative(home.path, here).split('/');
  for (const folder of [sources, 'bin']) onRead?.({ path: join(home.path, folder), isTree: true });
  onRead?.({ path: join(home.path, 'package.json') });
  const [digest, lockfile] = await Promise.all([
    digestTree(home.path, { only: [sources, 'bin', 'package.json'], skip: isTest }),
    nearestLockfile(home.path),
  ]);
  if (lockfile !== undefined) onRead?.({ path: lockfile });
  const lockfileDigest = lockfile && (await digestFile(lockfile));
  const { version } = home.manifest;
  return [
    ...(digest
      ? [{ kind: 'writ', name: typeof version === 'string' ? version : 'unversioned', digest }]
      : []),
    ...(lockfileDigest ? [{ kind: 'lockfile', name: 'writ', digest: lockfileDigest }] : []),
  ];
}

function isTest(name: string): boolean {
  return name.endsWith('.test.ts') || name === '__snapshots__';
}
