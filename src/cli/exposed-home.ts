import { realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure } from './cli-error.ts';

const REMOTE_URL = /^[a-z][a-z0-9+.-]*:\/\//i;

/**
 * Refuses a server that is handed a folder in which the trust domain lies, or something inside the domain: through a file
 * tool that is granted, the agent could read the issuer's key.
 *
 * A guard against mistakes: what a server opens without being told so on its command line can't be seen here.
 */
export function refuseExposedHome(
  homeFolder: string,
  { args, cwd }: { readonly args: readonly string[]; readonly cwd: string },
): void {
  const home = realFolder(homeFolder);
  const [own, ...above] = lineage(home).map(identityOf);
  for (const argument of args) {
    for (const name of pathsIn(argument)) {
      const path = existing(resolve(cwd, name));
      if (path === undefined) continue;
      const holdsHome = above.includes(identityOf(path));
      const isInHome = own !== undefined && lineage(path).some((folder) => identityOf(folder) === own);
      if (!holdsHome && !isInHome) continue;
      throw failure(
        'home.exposed',
        `the server is given ${path}, which ${holdsHome ? 'holds' : 'belongs to'} the keys of the trust domain (${home})`,
        `keep the domain elsewhere, for example: writ --home ${join('~', '.writ')} init …; or give the server a narrower folder`,
      );
    }
  }
}

/**
 * What in an argument a server may take for a path: all of it, the value of `--root=FOLDER`, parts of lists and mounts
 * (`/a,/b`, `/host:/inside`), `file:` URLs. Many servers expand `~` themselves.
 */
function pathsIn(argument: string): string[] {
  const value = argument.slice(argument.indexOf('=') + 1);
  return [argument, value]
    .flatMap((text) => {
      if (!REMOTE_URL.test(text)) return [text, ...text.split(/[=,:;]/)];
      return /^file:/i.test(text) ? pathOfUrl(text) : [];
    })
    .filter((path) => path !== '')
    .map((path) => (path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path));
}

function pathOfUrl(url: string): string[] {
  try {
    return [fileURLToPath(url)];
  } catch {
    return [];
  }
}

/** The path and every folder above it, up to the root. */
function lineage(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [path, ...lineage(parent)];
}

/** What a path leads to, however it is spelled: letter case and bind mounts make several paths of one folder. */
function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

function existing(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Where a folder really is, or will be once it is made. */
function realFolder(path: string): string {
  const parent = dirname(path);
  return existing(path) ?? (parent === path ? path : join(realFolder(parent), path.slice(parent.length)));
}
