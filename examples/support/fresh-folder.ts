import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Makes a folder anew: removes what was played there earlier, and nothing else. One without the marker is not ours. */
export function freshFolder(folder: string, marker: string): void {
  if (existsSync(folder)) {
    if (!existsSync(join(folder, marker))) {
      throw new Error(`${folder} is not a demo folder: remove it or name another`);
    }
    rmSync(folder, { recursive: true });
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, marker), 'Everything in here is removed when this runs again.\n');
}
