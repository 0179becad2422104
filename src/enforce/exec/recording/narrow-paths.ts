import { dirname } from 'node:path';
import { isBeneath } from '../path-lineage.ts';
import type { PathUse } from './path-use.ts';

/** A path to grant, and why it is this one. */
export interface NarrowPath {
  readonly path: string;
  readonly access: PathUse['access'];
  /** Paths beneath it that were used, itself among them; the first of them. */
  readonly uses: readonly string[];
  readonly useCount: number;
}

/** The most paths that are told apart; more become the folders that they lie in. */
export const MAX_NARROW_PATHS = 48;
const MAX_USES = 20;
/** Nobody who reads a proposal would see these for what they are. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

/**
 * The narrowest paths that grant what was used. A file that was read or written is granted itself. A folder is granted
 * whole where it was listed, where a link in it was followed (only the folder brings it), and for writing where files in
 * it came, went or were replaced: none of that can be granted by file.
 *
 * @param roots what was granted: nothing above these is proposed.
 */
export function narrowPaths(uses: readonly PathUse[], roots: readonly string[]): readonly NarrowPath[] {
  const wanted = new Map<string, PathUse['access']>();
  const used: PathUse[] = [];
  for (const use of uses) {
    if (!use.isRead && !use.isChanged) continue;
    used.push(use);
    const access = use.isChanged && use.access === 'write' ? 'write' : 'read';
    const path = use.kind === 'link' ? dirname(use.path) : use.path;
    want(wanted, seenAs(path, roots), access);
  }
  absorb(wanted);
  while (wanted.size > MAX_NARROW_PATHS && mergeMostCrowded(wanted, roots)) absorb(wanted);
  return [...wanted]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([path, access]) => {
      const beneath = used.filter((use) => isBeneath(path, use.path)).map((use) => use.path);
      return { path, access, uses: beneath.slice(0, MAX_USES), useCount: beneath.length };
    });
}

/** The path, or the folder that holds it, where its name shows as it is. */
function seenAs(path: string, roots: readonly string[]): string {
  let seen = path;
  while (UNSEEN.test(seen) && !roots.includes(seen)) seen = dirname(seen);
  return seen;
}

function want(wanted: Map<string, PathUse['access']>, path: string, access: PathUse['access']): void {
  if (wanted.get(path) !== 'write') wanted.set(path, access);
}

/** Paths within each other cannot be granted: the outermost holds them, for writing where one of them is written. */
function absorb(wanted: Map<string, PathUse['access']>): void {
  const paths = [...wanted.keys()].sort((left, right) => left.length - right.length);
  for (const path of paths) {
    const outer = paths.find((other) => other !== path && wanted.has(other) && isBeneath(other, path));
    const access = wanted.get(path);
    if (outer === undefined || access === undefined) continue;
    wanted.delete(path);
    want(wanted, outer, access);
  }
}

/** Grants the folder in which most paths lie, in their place. False where there is none left to merge. */
function mergeMostCrowded(wanted: Map<string, PathUse['access']>, roots: readonly string[]): boolean {
  const folders = new Map<string, string[]>();
  for (const path of wanted.keys()) {
    if (roots.includes(path)) continue;
    const folder = dirname(path);
    folders.set(folder, [...(folders.get(folder) ?? []), path]);
  }
  const [most] = [...folders].sort(
    ([left, ours], [right, theirs]) => theirs.length - ours.length || right.length - left.length,
  );
  if (most === undefined) return false;
  const [folder, paths] = most;
  const isWritten = paths.some((path) => wanted.get(path) === 'write');
  for (const path of paths) wanted.delete(path);
  want(wanted, folder, isWritten ? 'write' : 'read');
  return true;
}
