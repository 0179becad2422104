import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { createDomain, type Home } from '../governor/index.ts';
import { denied } from './cli-error.ts';
import type { By } from './init-steps.ts';

/** A trust domain that is gone after its only use, and room for copies beside it. */
export interface ThrowawayDomain {
  readonly home: Home;
  /** Everything of it lies in here. */
  readonly folder: string;
  /** Empty folders, a new one each time. */
  makeFolder(): string;
  remove(): void;
}

/**
 * Makes one in the folder for temporary files.
 *
 * @param group whose processes may go through the folder to the copies in it, besides the caller's: it can list nothing.
 */
export async function makeThrowawayDomain(by: By, group: number | undefined): Promise<ThrowawayDomain> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-record-'));
  let made = 0;
  const makeOpenFolder = (path: string): string => {
    if (group !== undefined) chownSync(path, 0, group);
    chmodSync(path, group === undefined ? 0o700 : 0o710);
    return path;
  };
  const remove = (): void => removeTree(folder);
  try {
    makeOpenFolder(folder);
    const home = await createDomain(join(folder, 'home'), { name: 'recording', ...by });
    if (isDenial(home)) throw denied(home);
    return {
      home,
      folder,
      makeFolder() {
        const path = join(folder, `copies-${made}`);
        made += 1;
        mkdirSync(path, { mode: 0o700 });
        return makeOpenFolder(path);
      },
      remove,
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Also what its owner may not write: nothing is removed from a folder without that. Follows no link. */
function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    openUp(path);
    rmSync(path, { recursive: true, force: true });
  }
}

function openUp(path: string): void {
  if (!lstatSync(path).isDirectory()) return;
  chmodSync(path, 0o700);
  for (const name of readdirSync(path)) openUp(join(path, name));
}
