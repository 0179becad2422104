import { type Denial, deny } from '../../denial/index.ts';

/** What a program may use up. Whole numbers. */
export interface Limits {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly processes: number;
  readonly fileBytes: number;
  readonly openFiles: number;
  /** Sent and received together. */
  readonly networkBytes: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_LIMITS: Limits = {
  wallSeconds: 600,
  cpuSeconds: 600,
  memoryBytes: 1024 * MIB,
  processes: 256,
  fileBytes: 1024 * MIB,
  openFiles: 1024,
  networkBytes: 1024 * MIB,
};

/** Less, and not even the sandbox itself starts. */
const LEAST: Limits = {
  wallSeconds: 1,
  cpuSeconds: 1,
  memoryBytes: 16 * MIB,
  processes: 4,
  fileBytes: 0,
  openFiles: 16,
  networkBytes: 0,
};

const MOST: Limits = {
  wallSeconds: 30 * 86_400,
  cpuSeconds: 30 * 86_400,
  memoryBytes: 2 ** 43,
  processes: 32_768,
  fileBytes: 2 ** 43,
  openFiles: 1_048_576,
  networkBytes: 2 ** 43,
};

export function findBadLimit(limits: Limits): Denial | undefined {
  const names = Object.keys(DEFAULT_LIMITS) as (keyof Limits)[];
  const bad = names.find((name) => {
    const value = limits[name];
    return !Number.isSafeInteger(value) || value < LEAST[name] || value > MOST[name];
  });
  return bad === undefined ? undefined : deny('request.malformed', `the limit ${bad} is out of range`);
}

/**
 * What the sandbox itself needs of each, on top: its own processes, the descriptors it is set up with, the file that the
 * program is copied into.
 */
const OWN = { processes: 8, openFiles: 16 } as const;

/**
 * Limits per process, as arguments of prlimit(1). Memory is bounded for all of them together where there is a control
 * group; else the data of each (address space would end programs that reserve what they never use).
 *
 * @param inGroup whether a control group bounds memory and processes.
 * @param running processes of the account already, which count towards its limit.
 */
export function prlimitArguments(
  limits: Limits,
  programBytes: number,
  inGroup: boolean,
  running: number,
): string[] {
  const fileBytes = Math.max(limits.fileBytes, programBytes);
  return [
    '--core=0',
    `--cpu=${limits.cpuSeconds}`,
    `--fsize=${fileBytes}`,
    `--nofile=${limits.openFiles + OWN.openFiles}`,
    '--memlock=65536',
    '--msgqueue=0',
    // Counted per account: what runs beside it would count, too.
    ...(inGroup
      ? []
      : [`--nproc=${running + limits.processes + OWN.processes}`, `--data=${limits.memoryBytes}`]),
  ];
}
