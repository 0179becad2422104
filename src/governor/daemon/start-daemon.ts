import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDenial } from '../../denial/index.ts';
import type { Home } from '../home.ts';
import { programFile } from '../program.ts';
import { DaemonFailed } from './daemon-error.ts';
import { type AnsweringDaemon, reachDaemon } from './reach-daemon.ts';

export interface StartOptions {
  /** It ends by itself when nobody has been connected for so long. Default: never. */
  readonly idleExitSeconds?: number;
}

/** One that was started for a gateway ends when nobody has needed it for so long. */
export const ON_DEMAND_IDLE_SECONDS = 15 * 60;

/** A daemon that starts opens its logs and loads the policy engine; it waits for who holds the lock before it. */
const START_TIMEOUT_MS = 30_000;
const START_STEP_MS = 20;

export function daemonLogFile(home: Home): string {
  return join(dirname(home.daemonFile), 'daemon.log');
}

/**
 * Starts the daemon of a home in the background; resolves when one answers. It outlives this process, is of no terminal
 * and no group of its, and holds none of its pipes.
 *
 * Of several that are started at once the lock of the governance log lets one in; the others see it answer, and end.
 * Whichever answers is the daemon: it is this call's own or not.
 *
 * @throws DaemonFailed where none answers in the end; its message says what to do.
 */
export async function startDaemon(home: Home, options: StartOptions = {}): Promise<AnsweringDaemon> {
  const { idleExitSeconds } = options;
  const log = daemonLogFile(home);
  mkdirSync(dirname(log), { recursive: true, mode: 0o700 });
  const stderr = openSync(log, 'a', 0o600);
  let ended: string | undefined;
  try {
    const idle = idleExitSeconds === undefined ? [] : ['--idle-exit', `${idleExitSeconds}s`];
    const child = spawn(process.execPath, [programFile(), '--home', home.folder, '--json', 'up', ...idle], {
      detached: true,
      cwd: home.folder,
      stdio: ['ignore', 'ignore', stderr],
    });
    child.once('error', (error) => (ended = error.message));
    child.once('exit', (code, signal) => (ended = `it ended with ${signal ?? code}`));
    child.unref();
  } finally {
    closeSync(stderr);
  }
  const until = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < until) {
    // Asked before who answers: what ended because another one runs did so when that one answered.
    const over = ended;
    const running = await reachDaemon(home);
    if (isDenial(running)) throw new DaemonFailed(running.detail);
    if (running !== undefined) return running;
    if (over !== undefined) break;
    await new Promise((resolve) => setTimeout(resolve, START_STEP_MS));
  }
  throw new DaemonFailed(
    `the daemon did not start: ${ended ?? 'it does not answer'}; see ${log}, or run "writ up --home ${home.folder}" to read why`,
  );
}
