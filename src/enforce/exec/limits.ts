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

/** What the sandbox itself needs of each, on top: its own processes, the descriptors that it is made with. */
const OWN = { processes: 8, openFiles: 16 } as const;

/** In the sandbox: of the system, as everything in /usr. */
const PRLIMIT = '/usr/bin/prlimit';

/** A limit of one process. */
export interface ProcessBound {
  /** Of prlimit(1). */
  readonly option: string;
  /** As the kernel calls it in `/proc/self/limits`. */
  readonly name: string;
  /** Of the program, from its first instruction on. */
  readonly value: number;
  /** While its sandbox is made, where that takes more. */
  readonly whileMade?: number;
}

/** What making a sandbox takes. */
export interface Making {
  /** Of the largest file that is copied into it. */
  readonly copiedBytes: number;
  /** That it is made with. */
  readonly descriptors: number;
}

export interface BoundsAsk extends Making {
  readonly limits: Limits;
  /** Whether a control group bounds memory and processes. */
  readonly inGroup: boolean;
  /** Processes of the account already, which count towards its limit. */
  readonly running: number;
}

/**
 * What bounds each process. Memory is bounded for all of them together where there is a control group; else the private data
 * of each (address space would end programs that reserve what they never use).
 */
export function processBounds({
  limits,
  copiedBytes,
  descriptors,
  inGroup,
  running,
}: BoundsAsk): readonly ProcessBound[] {
  const { fileBytes, openFiles } = limits;
  return [
    { option: 'core', name: 'Max core file size', value: 0 },
    { option: 'cpu', name: 'Max cpu time', value: limits.cpuSeconds },
    {
      option: 'fsize',
      name: 'Max file size',
      value: fileBytes,
      whileMade: Math.max(fileBytes, copiedBytes),
    },
    {
      option: 'nofile',
      name: 'Max open files',
      value: openFiles,
      whileMade: Math.max(openFiles, descriptors + OWN.openFiles),
    },
    { option: 'memlock', name: 'Max locked memory', value: 65_536 },
    { option: 'msgqueue', name: 'Max msgqueue size', value: 0 },
    // Counted per account: what runs beside it would count, too.
    ...(inGroup
      ? []
      : [
          { option: 'nproc', name: 'Max processes', value: running + limits.processes + OWN.processes },
          { option: 'data', name: 'Max data size', value: limits.memoryBytes },
        ]),
  ];
}

/** Arguments of prlimit(1), around what makes the sandbox. */
export function boundArguments(bounds: readonly ProcessBound[]): readonly string[] {
  return bounds.map(({ option, value, whileMade }) => `--${option}=${whileMade ?? value}`);
}

/** Whether making a sandbox takes more than its program may have. */
export function takesMore({ copiedBytes, descriptors }: Making, { fileBytes, openFiles }: Limits): boolean {
  return copiedBytes > fileBytes || descriptors + OWN.openFiles > openFiles;
}

/** Goes before a program, in its sandbox: takes back what only making that took. */
export function loweringCommand({ fileBytes, openFiles }: Limits): readonly string[] {
  return [PRLIMIT, `--fsize=${fileBytes}`, `--nofile=${openFiles}`, '--'];
}
