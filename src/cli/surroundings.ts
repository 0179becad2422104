import { accessSync, constants, realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { delimiter, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** What a command sees of the process it runs in. Tests make their own. */
export interface Surroundings {
  readonly cwd: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /** `WRIT_HOME`. */
  readonly homeFolder: string | undefined;
  /** Whether colours may be used where there is a terminal (`NO_COLOR`, `TERM`). */
  readonly colours: boolean;
  /** Folders where commands are looked up (`PATH`). */
  readonly path: readonly string[];
  /** What a server started from here inherits. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Name of the account, for attribution. */
  readonly user: string;
  /** Command line that starts this program from anywhere. */
  readonly program: readonly string[];
  readonly clockMs: () => number;
}

/** The one place that reads the process and its environment. */
export function processSurroundings(): Surroundings {
  const { env } = process;
  const path = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return {
    cwd: process.cwd(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    homeFolder: env.WRIT_HOME || undefined,
    colours: !env.NO_COLOR && env.TERM !== 'dumb',
    path,
    environment: env,
    user: accountName(),
    program: programOf(process.argv[1], path),
    clockMs: () => Date.now(),
  };
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // An account without an entry in the user database.
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}

/** `writ` where the PATH leads to this very program, else the absolute command line. */
function programOf(script: string | undefined, path: readonly string[]): readonly string[] {
  if (script === undefined) return ['writ'];
  const installed = findExecutable('writ', path);
  try {
    const own = realpathSync(script);
    return installed !== undefined && realpathSync(installed) === own ? ['writ'] : [process.execPath, own];
  } catch {
    return ['writ'];
  }
}

/** The file that a command name starts, as a shell finds it; undefined where there is none. */
export function findExecutable(command: string, path: readonly string[], cwd = '.'): string | undefined {
  const candidates = command.includes('/')
    ? [resolve(cwd, command)]
    : path.map((folder) => resolve(cwd, folder, command));
  return candidates.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
