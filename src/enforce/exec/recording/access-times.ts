import { closeSync, lstatSync, lutimesSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Whether the file system of a folder notes when files are read: some are mounted so that it does not. */
export function notesAccessTimes(folder: string): boolean {
  const path = join(folder, 'access-time');
  writeFileSync(path, 'x', { mode: 0o600, flag: 'wx' });
  try {
    lutimesSync(path, 0, 1);
    const file = openSync(path, 'r');
    try {
      readSync(file, Buffer.alloc(1));
    } finally {
      closeSync(file);
    }
    return lstatSync(path).atimeMs !== 0;
  } finally {
    rmSync(path);
  }
}
