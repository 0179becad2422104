import type { Command } from 'commander';
import { DEFAULT_LIMITS, findBadLimit, type Limits } from '../enforce/exec/index.ts';
import { usageError } from './cli-error.ts';
import { collect } from './command.ts';
import { parseDuration, parseWholeNumber } from './duration.ts';

/** What `exec` and `exec adopt` have in common: what a program is to see and may use up. */
export interface ExecOptions {
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  readonly net?: readonly string[];
  readonly env?: readonly string[];
  readonly time?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly processes?: string;
  readonly fileSize?: string;
  readonly openFiles?: string;
  readonly netBytes?: string;
}

/** @param of before each description: whose they are, where that is not clear. */
export function addExecOptions(command: Command, of = ''): Command {
  return command
    .option('--read <path>', `${of}a file or folder it may read (repeatable)`, collect)
    .option('--write <path>', `${of}a file or folder it may read and write (repeatable)`, collect)
    .option(
      '--net <host:port>',
      `${of}where it may connect to, through HTTP_PROXY and the like (repeatable)`,
      collect,
    )
    .option(
      '--env <name[=value]>',
      `${of}a variable it gets; without a value, the one set here (repeatable)`,
      collect,
    )
    .option('--time <duration>', `${of}how long it may run`)
    .option('--cpu <duration>', `${of}how much processor time each of its processes may use`)
    .option('--memory <size>', `${of}how much memory it may use: 512M, 2G`)
    .option('--processes <n>', `${of}how many processes and threads it may have`)
    .option('--file-size <size>', `${of}how large a file it writes may become`)
    .option('--open-files <n>', `${of}how many files it may have open`)
    .option('--net-bytes <size>', `${of}how much it may send and receive`);
}

/** The limits that options name, on top of others. */
export function limitsOf(options: ExecOptions, base: Limits = DEFAULT_LIMITS): Limits {
  const { time, cpu, memory, processes, fileSize, openFiles, netBytes } = options;
  const limits: Limits = {
    wallSeconds: time === undefined ? base.wallSeconds : parseDuration(time, '--time'),
    cpuSeconds: cpu === undefined ? base.cpuSeconds : parseDuration(cpu, '--cpu'),
    memoryBytes: memory === undefined ? base.memoryBytes : parseSize(memory, '--memory'),
    processes: processes === undefined ? base.processes : parseWholeNumber(processes, '--processes'),
    fileBytes: fileSize === undefined ? base.fileBytes : parseSize(fileSize, '--file-size'),
    openFiles: openFiles === undefined ? base.openFiles : parseWholeNumber(openFiles, '--open-files'),
    networkBytes: netBytes === undefined ? base.networkBytes : parseSize(netBytes, '--net-bytes'),
  };
  const bad = findBadLimit(limits);
  if (bad !== undefined) throw usageError(bad.detail, 'see "writ exec --help"');
  return limits;
}

/** Variables by name. What is inherited is named, never taken along. */
export function environmentOf(
  variables: readonly string[] | undefined,
  inherited: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const variable of variables ?? []) {
    const equals = variable.indexOf('=');
    const name = equals < 0 ? variable : variable.slice(0, equals);
    const value = equals < 0 ? inherited[name] : variable.slice(equals + 1);
    if (value === undefined) throw usageError(`--env ${name}: it is not set here`, 'write --env NAME=VALUE');
    found.set(name, value);
  }
  return found;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

function parseSize(text: string, option: string): number {
  const [, count, unit = ''] = /^(\d{1,12})([KMG]?)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (count === undefined || factor === undefined) {
    throw usageError(`${option} "${text}" is no size`, 'write a number and a unit: 64K, 512M, 2G');
  }
  return Number(count) * factor;
}
