import { statSync } from 'node:fs';
import { dirname } from 'node:path';

export function isBeneath(root: string, path: string): boolean {
  return root === '/' || path === root || path.startsWith(`${root}/`);
}

/** Device and inode of a path and of everything above it, however that is called elsewhere (a bind mount is the same folder). */
export function lineageOf(path: string): readonly string[] {
  const lineage: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    const identity = identityOf(at);
    if (identity !== undefined) lineage.push(identity);
    if (at === dirname(at)) return lineage;
  }
}

export function identityOf(path: string): string | undefined {
  const status = statSync(path, { bigint: true, throwIfNoEntry: false });
  return status === undefined ? undefined : `${status.dev}:${status.ino}`;
}
