import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { failure } from './cli-error.ts';

/**
 * Refuses a server that is handed a folder in which the trust domain itself lies: through a file tool that is granted,
 * the agent could read the issuer's key.
 */
export function refuseExposedHome(
  homeFolder: string,
  { args, cwd }: { readonly args: readonly string[]; readonly cwd: string },
): void {
  const home = realFolder(homeFolder);
  for (const argument of args) {
    // A folder may also be the value of `--root=FOLDER`.
    for (const candidate of [argument, argument.slice(argument.indexOf('=') + 1)]) {
      const folder = existingFolder(resolve(cwd, candidate));
      if (candidate === '' || folder === undefined || !contains(folder, home)) continue;
      throw failure(
        'home.exposed',
        `the server is given ${folder}, which holds the keys of the trust domain (${home})`,
        `keep the domain elsewhere, for example: writ --home ${join('~', '.writ')} init …; or give the server a narrower folder`,
      );
    }
  }
}

function contains(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function existingFolder(path: string): string | undefined {
  try {
    return statSync(path).isDirectory() ? realpathSync(path) : undefined;
  } catch {
    return undefined;
  }
}

/** Where a folder really is, or will be once it is made. */
function realFolder(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realFolder(parent), basename(path));
  }
}
