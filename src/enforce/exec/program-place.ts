import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { type Denial, deny } from '../../denial/index.ts';
import type { GrantedPath } from './granted-path.ts';
import { isBeneath } from './path-lineage.ts';
import type { Program } from './program.ts';

export const ROOT = 0;

/** Folders of the system that everything linked dynamically needs: every sandbox has them, read-only. */
export const SYSTEM_FOLDERS = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/** Whether others than these accounts can change it, or what lies in it. Access lists show in the bits of the group. */
export function isChangeableByOthers(
  { uid, mode }: Stats,
  accounts: readonly (number | undefined)[],
): boolean {
  return !accounts.includes(uid) || ((mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0);
}

/**
 * Why the hashed copy of a program would not stay where it runs from, if so. The copy is mounted over the program's own
 * path, and the kernel undoes that when the name beneath it is renamed, replaced or removed from outside. Where the sandbox
 * has no folder of the machine around it there is no such name. Where it has one, INVARIANT: only root and the account that
 * Writ runs as can change the names between that folder and the program (spec/exec.md §3).
 */
export function findUnsafePlace(program: Program, paths: readonly GrantedPath[]): Denial | undefined {
  for (const { path } of [program, ...(program.interpreter === undefined ? [] : [program.interpreter])]) {
    const wrong = findUnsafe(path, paths);
    if (wrong !== undefined) return deny('scope.arguments_not_granted', wrong);
  }
  return undefined;
}

function findUnsafe(program: string, paths: readonly GrantedPath[]): string | undefined {
  const granted = paths.find(({ path }) => isBeneath(path, program));
  if (granted?.path === program) {
    return `${program} is run, and granted as a file: grant the folder that it lies in, or nothing`;
  }
  if (granted?.access === 'write') {
    return `${program} lies in what is granted for writing: move it elsewhere, or grant that for reading`;
  }
  const system = SYSTEM_FOLDERS.find((path) => isBeneath(path, program));
  const changeable =
    (system === undefined ? undefined : findChangeable({ path: system }, program)) ??
    (granted === undefined ? undefined : findChangeable(granted, program));
  return changeable === undefined
    ? undefined
    : `${changeable} can be changed by others while ${program} waits to run: let only root or your own account write there (chown, chmod go-w)`;
}

/** What others can change, from a folder down to a program beneath it. */
function findChangeable(
  { path, file }: Pick<GrantedPath, 'path'> & Partial<GrantedPath>,
  program: string,
): string | undefined {
  const trusted = [ROOT, process.getuid?.()];
  // As it was opened: whatever its path leads to by now. The dot follows that link.
  const root = file === undefined ? path : `/proc/self/fd/${file}`;
  const names = program.slice(path.length + 1).split('/');
  for (let length = 0; length <= names.length; length += 1) {
    const beneath = names.slice(0, length).join('/');
    const status = lstatSync(`${root}/${beneath === '' ? '.' : beneath}`, { throwIfNoEntry: false });
    if (status === undefined || isChangeableByOthers(status, trusted)) return join(path, beneath);
  }
  return undefined;
}
