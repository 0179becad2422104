import { statSync } from 'node:fs';

/** Not: cannot be looked at now, for want of file descriptors or such. */
export function isGone(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}
