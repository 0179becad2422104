import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, resolve, sep } from 'node:path';

/**
 * The file that running `command` would execute (POSIX `execvp`): on the search path, or relative to `cwd` where it
 * contains a slash. Symbolic links are resolved. Undefined where there is none.
 */
export async function findExecutable(
  command: string,
  cwd: string,
  searchPath: string,
): Promise<string | undefined> {
  const candidates =
    isAbsolute(command) || command.includes('/') || command.includes(sep)
      ? [resolve(cwd, command)]
      : // An empty element of the path means the current folder.
        searchPath.split(delimiter).map((folder) => resolve(cwd, folder, command));
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      if ((await stat(candidate)).isFile()) return await realpath(candidate);
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined;
}
