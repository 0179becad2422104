import { existsSync } from 'node:fs';
import { findConfiner } from '../enforce/exec/index.ts';
import type { Component } from '../environment/index.ts';
import { type Home, programFile } from '../governor/index.ts';
import { failure, usageError } from './cli-error.ts';
import { measureConfinement } from './confinement-check.ts';
import type { ExecOptions } from './exec-options.ts';
import { locateProgram } from './exec-program.ts';
import type { StoredServer } from './server-file.ts';
import type { Surroundings } from './surroundings.ts';

/** How `writ mcp` is told what a confined server is to see: as `writ exec` is. */
export interface ConfineOptions extends ExecOptions {
  readonly confine?: boolean;
  readonly agent?: string;
  readonly daemon: string;
}

export interface ConfinedUpstream {
  /** What is started: `writ exec` with the server, which is decided on, held, and stands in the log as any program. */
  readonly command: StoredServer;
  /** What runs in the end, for the measurement. */
  readonly measured: StoredServer;
  /** What it runs in, tried: the same as `writ exec` measures of it. */
  readonly measureConfinement: () => Promise<readonly Component[]>;
}

/** Ends what it starts with whoever started it, even where that was killed. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];

/** By which options a server gets less than it was adopted with. */
const NARROWING = {
  read: '--read',
  write: '--write',
  net: '--net',
  env: '--env',
  time: '--time',
  cpu: '--cpu',
  memory: '--memory',
  processes: '--processes',
  fileSize: '--file-size',
  openFiles: '--open-files',
  netBytes: '--net-bytes',
} as const satisfies Record<keyof ExecOptions, string>;

/** Options that say what a server is to see mean nothing where it is not confined: then they are refused. */
export function refuseUnconfined(options: ConfineOptions): void {
  const [given] = narrowing(options);
  if (given !== undefined)
    throw usageError(`${given} without --confine`, 'add --confine: only a confined server is kept to it');
}

/**
 * Puts the confinement around a server. INVARIANT: what the server may see is what the artifact of its program grants, and
 * the kernel keeps it to that; it ends with the gateway, and with that artifact.
 */
export function confineUpstream(
  home: Home,
  surroundings: Surroundings,
  server: StoredServer,
  options: ConfineOptions,
): ConfinedUpstream {
  const { name, path, stored } = locateProgram(home, server.command, surroundings);
  if (name === undefined || stored === undefined) {
    throw failure(
      'program.unadopted',
      `${server.command} is no program that was adopted, so nothing grants it anything`,
      `writ exec adopt NAME --any-arguments --read … -- ${server.command}`,
    );
  }
  const setpriv = SETPRIV.find((path) => existsSync(path));
  if (setpriv === undefined) {
    throw failure(
      'environment.unmeasured',
      'setpriv is missing',
      'install util-linux (apt-get install util-linux)',
    );
  }
  const { cwd } = server;
  return {
    command: {
      command: setpriv,
      args: [
        ...['--pdeathsig', 'KILL', '--', process.execPath, programFile(), '--home', home.folder, 'exec'],
        ...['--daemon', options.daemon === 'never' ? 'never' : 'running'],
        ...(options.agent === undefined ? [] : ['--agent', options.agent]),
        ...narrowing(options),
        ...['--', name, ...server.args],
      ],
      cwd,
    },
    measured: { command: path, args: server.args, cwd },
    measureConfinement: () =>
      measureConfinement(findConfiner(stored.account === undefined ? {} : { account: stored.account })),
  };
}

function narrowing(options: ConfineOptions): readonly string[] {
  return Object.entries(NARROWING).flatMap(([name, option]) => {
    const value = options[name as keyof typeof NARROWING];
    const values = value === undefined ? [] : typeof value === 'string' ? [value] : value;
    return values.flatMap((one) => [option, one]);
  });
}
