import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Denial, isDenial } from '../../denial/index.ts';
import { accountOf, type Confiner, findConfiner } from './confiner.ts';
import { sortEnvironment } from './environment-variables.ts';
import { closePaths, openPaths } from './granted-path.ts';
import { type HeldProcess, holdProcess, type ProcessEnd } from './held-process.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { PROXY_VARIABLES } from './network-launch.ts';
import { type Program, readProgram } from './program.ts';

/** What confines on this machine; installed where that is possible, and missed loudly where it is not. */
export function testConfiner(): Confiner | undefined {
  if (isDenial(findConfiner()) && process.getuid?.() === 0) {
    try {
      execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'bubblewrap'], {
        stdio: 'ignore',
      });
    } catch {
      // Told below.
    }
  }
  const confiner = findConfiner();
  const problem = isDenial(confiner) ? confiner.detail : findForbidden(confiner);
  if (problem === undefined && !isDenial(confiner)) return confiner;
  process.stderr.write(`CONFINEMENT IS NOT TESTED: ${problem}\n`);
  return undefined;
}

/** Containers often forbid what bubblewrap needs. */
function findForbidden(confiner: Confiner): string | undefined {
  try {
    const { uid, gid } = accountOf(confiner);
    const line = [
      '--unshare-all',
      '--unshare-user',
      '--disable-userns',
      '--ro-bind',
      '/',
      '/',
      '--proc',
      '/proc',
      'true',
    ];
    execFileSync(confiner.bubblewrap.path, line, { uid, gid, env: { PATH: '/usr/bin:/bin' }, stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'bubblewrap fails';
  }
}

export interface Ran extends ProcessEnd {
  readonly out: string;
}

export interface RunOptions {
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  readonly environment?: ReadonlyMap<string, string>;
  readonly limits?: Partial<Limits>;
  readonly program?: Program;
  readonly cwd?: string;
  /** Called when the sandbox stands and nothing runs in it. */
  readonly beforeRelease?: (held: HeldProcess) => void;
  /** Called when paths were opened and nothing is bound. */
  readonly beforeHold?: () => void;
  /** Gives it a network. */
  readonly onListener?: (listener: Server) => void;
  readonly onData?: (text: string, held: HeldProcess) => void;
}

export function mustRead(path: string): Program {
  const program = readProgram(path);
  if (isDenial(program)) throw new Error(program.detail);
  return program;
}

/** Runs a program in the real chain to its end. */
export async function runConfined(
  confiner: Confiner,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<Ran | Denial> {
  const { read = [], write = [], program = mustRead('/bin/sh'), cwd = '/', onData } = options;
  const environment = sortEnvironment(options.environment ?? new Map());
  if (isDenial(environment)) return environment;
  const paths = openPaths({ read, write, cwd: '/', hidden: [] });
  if (isDenial(paths)) return paths;
  options.beforeHold?.();
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  try {
    const held = await holdProcess({
      confiner,
      plan: {
        program,
        argv,
        cwd,
        environment: new Map([...(options.onListener ? PROXY_VARIABLES : []), ...environment.all]),
        paths,
        limits,
        account: accountOf(confiner),
        hasNetwork: options.onListener !== undefined,
      },
      streams: ['ignore', 'pipe', 'pipe'],
      ...(options.onListener === undefined ? {} : { onListener: options.onListener }),
    });
    if (isDenial(held)) return held;
    let out = '';
    const closed = held.pipes.slice(1).map(
      (pipe) =>
        new Promise<void>((resolve) => {
          pipe?.on('data', (chunk: unknown) => {
            if (out.length < 1_000_000) out += String(chunk);
            onData?.(out, held);
          });
          pipe?.once('close', resolve);
        }),
    );
    options.beforeRelease?.(held);
    held.release();
    const end = await held.ended;
    await Promise.all(closed);
    return { ...end, out };
  } finally {
    closePaths(paths);
  }
}

/** A folder that the account of confined programs may use; gone after `remove`. */
export function makeOpenFolder(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'writ-exec-test-'));
  chmodSync(folder, 0o777);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
