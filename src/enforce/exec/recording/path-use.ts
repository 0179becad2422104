import { lstatSync } from 'node:fs';
import type { CopiedEntry } from './tree-copy.ts';

/** What a program did with a path that it was granted. */
export interface PathUse {
  readonly path: string;
  readonly kind: CopiedEntry['kind'];
  /** What it was granted as, or lies in. */
  readonly access: CopiedEntry['access'];
  /** A file was read, a folder listed, a symbolic link followed. */
  readonly isRead: boolean;
  /** A file was written, or its mode changed; a folder has other entries, or is not there any more. */
  readonly isChanged: boolean;
}

/**
 * What was used of the copies, told by what the kernel noted: access times, which stood at zero, and change times, which
 * programs cannot set. What was only asked about (stat) leaves no trace. To be called when the program is dead.
 */
export function findPathUse(entries: readonly CopiedEntry[]): readonly PathUse[] {
  return entries.map(({ path, copy, kind, access, inode, ctimeNs }) => {
    const now = statusOf(copy);
    // Replaced or removed: the folder that it lay in says so as well.
    if (now === undefined || now.ino !== inode) return { path, kind, access, isRead: false, isChanged: true };
    return { path, kind, access, isRead: now.atimeNs !== 0n, isChanged: now.ctimeNs !== ctimeNs };
  });
}

function statusOf(copy: string) {
  try {
    return lstatSync(copy, { bigint: true, throwIfNoEntry: false });
  } catch {
    // A folder on the way is none any more.
    return undefined;
  }
}
