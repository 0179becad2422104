import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

/** What the kernel says of a process (proc_pid_stat(5), proc_pid_status(5), namespaces(7)). */
export interface ProcessFacts {
  /** Clock ticks since boot. */
  readonly startTicks: number;
  /**
   * Which of its images it is: where the kernel put stack, arguments and environment, drawn anew whenever a process calls
   * execve(2), and the file it runs.
   */
  readonly image: string;
  readonly parentPid: number;
  /** Who traces it, or a thread of it; 0: nobody. */
  readonly tracerPid: number;
  readonly uid: number;
  readonly gid: number;
  /** Namespaces that are not those of the process that asks. */
  readonly foreignNamespaces: readonly string[];
}

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'] as const;
/** Each costs a file to read, some ten microseconds: of a process with more nobody tells whether it is traced. */
const MAX_THREADS = 512;
/** Of proc_pid_stat(5), from the third on, which follows the name. */
const FIELD = { state: 0, parentPid: 1, startTicks: 19, startStack: 25, argStart: 45, envStart: 47 } as const;

/**
 * Reads the facts that can change. Undefined where there is no such process any more, where it has ended, and where the
 * machine has no `/proc` that tells. INVARIANT: nothing is read that the process itself could write, such as its command line and
 * its environment: these are its own memory.
 */
export function readProcessFacts(pid: number): ProcessFacts | undefined {
  if (process.platform !== 'linux' || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
  try {
    const folder = `/proc/${pid}`;
    const stat = readFileSync(`${folder}/stat`, 'latin1');
    // The name is the process's own choice, brackets and spaces included: the last one ends it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = readFileSync(`${folder}/status`, 'latin1');
    const { dev, ino } = statSync(`${folder}/exe`, { bigint: true });
    const state = fields[FIELD.state];
    if (state === undefined || 'ZXx'.includes(state)) return undefined;
    const layout = [FIELD.startStack, FIELD.argStart, FIELD.envStart].map((at) => fields[at]);
    const facts = {
      startTicks: Number(fields[FIELD.startTicks]),
      parentPid: Number(fields[FIELD.parentPid]),
      tracerPid: tracerOf(folder),
      // The effective one.
      uid: numberOf(status, /^Uid:\t\d+\t(\d+)\t/m),
      gid: numberOf(status, /^Gid:\t\d+\t(\d+)\t/m),
    };
    // Zeros are what those see who may not look.
    if (layout.some((address) => address === undefined || address === '0')) return undefined;
    if (!Object.values(facts).every(Number.isSafeInteger)) return undefined;
    ownNamespaces ??= namespacesOf('/proc/self');
    const own = ownNamespaces;
    const foreignNamespaces = namespacesOf(folder).flatMap((namespace, at) =>
      namespace === own[at] ? [] : [NAMESPACES[at] ?? 'unknown'],
    );
    return { ...facts, image: [...layout, dev, ino].join(':'), foreignNamespaces };
  } catch {
    return undefined;
  }
}

/** INVARIANT: every thread is looked at: each is traced for itself (ptrace(2)), and all of them share their memory. */
function tracerOf(folder: string): number {
  const threads = readdirSync(`${folder}/task`);
  if (threads.length > MAX_THREADS) return Number.NaN;
  for (const thread of threads) {
    const status = statusOf(`${folder}/task/${thread}`);
    const tracer = status === undefined ? 0 : numberOf(status, /^TracerPid:\t(\d+)$/m);
    if (tracer !== 0) return tracer;
  }
  return 0;
}

/** Of a thread; undefined where it ended meanwhile. */
function statusOf(thread: string): string | undefined {
  try {
    return readFileSync(`${thread}/status`, 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined;
    throw error;
  }
}

/** Nothing here ever enters another namespace. */
let ownNamespaces: readonly string[] | undefined;

function namespacesOf(folder: string): string[] {
  return NAMESPACES.map((name) => readlinkSync(`${folder}/ns/${name}`));
}

function numberOf(text: string, pattern: RegExp): number {
  const digits = pattern.exec(text)?.[1];
  return digits === undefined ? Number.NaN : Number(digits);
}
