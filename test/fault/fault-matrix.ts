import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Acknowledgements, WAVE, waveId } from './appended-entry.ts';
import type { Fault, Injection, Injectors, Target } from './injectors.ts';
import { auditLeftLog, COMPILE_CACHE, ORIGIN, SEED } from './left-log.ts';

const CHILD = fileURLToPath(new URL('./appending-child.ts', import.meta.url));
const WAVES = 5;
/** A run takes about a second; one that takes this long hangs. */
const HANGING_MS = 120_000;

/** Appends of one run. */
export const APPENDS = WAVES * WAVE;

const EVERY_FAULT: readonly Fault[] = ['fails', 'persists', 'kill'];

/**
 * What can go wrong with each system call that writer and publisher make on their files. Calls that change nothing can
 * only fail: dying in one of them is dying before the next that does.
 */
export const FAULT_MATRIX: Readonly<Record<string, readonly Fault[]>> = {
  openat: EVERY_FAULT,
  mkdir: EVERY_FAULT,
  chmod: EVERY_FAULT,
  write: EVERY_FAULT,
  pwrite64: EVERY_FAULT,
  ftruncate: EVERY_FAULT,
  fsync: EVERY_FAULT,
  fdatasync: EVERY_FAULT,
  rename: EVERY_FAULT,
  unlink: EVERY_FAULT,
  rmdir: EVERY_FAULT,
  pread64: ['fails'],
  fcntl: ['fails'],
  mmap: ['fails'],
};

const BY_DESCRIPTOR = new Set([
  'write',
  'pwrite64',
  'ftruncate',
  'fsync',
  'fdatasync',
  'pread64',
  'fcntl',
  'mmap',
]);

/**
 * `refused`: the log said it had failed, refused everything afterwards, and was closed. `absorbed`: nobody noticed.
 * `killed`: as it should be.
 */
export type Ending = 'refused' | 'absorbed' | 'killed';

export interface FaultRun {
  readonly target: Target;
  readonly fault: Fault;
  readonly by: Injection['by'];
  /** False where the call was not made in this run, so nothing was shown. */
  readonly reached: boolean;
  readonly ending: Ending | undefined;
  readonly acknowledged: number;
  readonly failure: string | undefined;
  readonly violations: readonly string[];
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  readonly isHanging: boolean;
}

/** Undisturbed runs that are compared: how often a reader looks again depends on who was faster. */
const RECORDINGS = 3;

export interface Recording {
  /** Calls that each of the undisturbed runs made, in the order of their making. */
  readonly targets: readonly Target[];
  /** Calls that only some of them made. */
  readonly varying: readonly Target[];
}

/** Every call of an undisturbed run that the matrix is about. */
export async function recordTargets(injectors: Injectors): Promise<Recording> {
  const runs: Target[][] = [];
  for (let run = 0; run < RECORDINGS; run += 1) runs.push(await recordOnce(injectors));
  const keyOf = ({ call, path, number }: Target) => `${call} ${path} ${number}`;
  const times = new Map<string, Target[]>();
  for (const target of runs.flat()) {
    const key = keyOf(target);
    times.set(key, [...(times.get(key) ?? []), target]);
  }
  const targets: Target[] = [];
  const varying: Target[] = [];
  for (const [first, ...others] of times.values()) {
    if (first === undefined) continue;
    if (others.length + 1 < RECORDINGS) varying.push(first);
    else targets.push({ ...first, oneThread: [first, ...others].every(({ oneThread }) => oneThread) });
  }
  return { targets, varying };
}

async function recordOnce(injectors: Injectors): Promise<Target[]> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-faults-'));
  try {
    const trace = join(folder, 'trace');
    const directory = join(folder, 'log');
    const said = new Acknowledgements();
    await runChild(folder, said, {
      wrapper: injectors.record(Object.keys(FAULT_MATRIX), trace),
      environment: {},
    });
    if (said.ids.size !== APPENDS)
      throw new Error(`the undisturbed run appended ${said.ids.size}: ${said.words}`);
    return targetsOf(readFileSync(trace, 'utf8'), directory);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function targetsOf(trace: string, directory: string): Target[] {
  const calls: { call: string; path: string; thread: string; changesNothing: boolean }[] = [];
  for (const line of trace.split('\n')) {
    const [, thread = '', call = '', rest = ''] = /^(\d+) +([a-z0-9]+)\((.*)/.exec(line) ?? [];
    if (!Object.hasOwn(FAULT_MATRIX, call)) continue;
    const named = BY_DESCRIPTOR.has(call) ? /^[^<"]*<([^>]*)>/ : /"([^"]*)"/;
    const path = named.exec(rest)?.[1] ?? '';
    const changesNothing = call === 'openat' && !rest.includes('O_CREAT');
    if (path === directory || path.startsWith(`${directory}/`)) {
      calls.push({ call, path: relative(directory, path) || '.', thread, changesNothing });
    }
  }
  const threads = new Map<string, Set<string>>();
  for (const { call, path, thread } of calls) {
    const key = `${call} ${path}`;
    threads.set(key, (threads.get(key) ?? new Set()).add(thread));
  }
  const seen = new Map<string, number>();
  return calls.map(({ call, path, changesNothing }) => {
    const key = `${call} ${path}`;
    const number = (seen.get(key) ?? 0) + 1;
    seen.set(key, number);
    return { call, path, number, changesNothing, oneThread: threads.get(key)?.size === 1 };
  });
}

/** The faults that a call of the run can have. */
export function faultsOf({ call, changesNothing }: Target): readonly Fault[] {
  return (FAULT_MATRIX[call] ?? []).filter((fault) => fault === 'fails' || !changesNothing);
}

/** One run with one fault in it, and the verdict on what it left. Undefined where the fault cannot be injected here. */
export async function runFault(
  injectors: Injectors,
  target: Target,
  fault: Fault,
): Promise<FaultRun | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-faults-'));
  try {
    const directory = join(folder, 'log');
    const injection = injectors.inject(directory, target, fault, join(folder, 'mark'));
    if (injection === undefined) return undefined;
    const acknowledged = new Acknowledgements();
    const ended = await runChild(folder, acknowledged, injection);
    const ending = endingOf(ended, acknowledged);
    const violations = await auditLeftLog({
      directory,
      effectsFile: join(folder, 'effects'),
      acknowledged,
      resumedIds: Array.from({ length: APPENDS }, (_, at) => waveId(at)),
    });
    const reached = hasHappened(injection, ended);
    if (ending === undefined || (ending === 'killed') !== (fault === 'kill' && reached)) {
      violations.push(
        `it ended as it should not: ${JSON.stringify({ ...ended, words: acknowledged.words })}`,
      );
    }
    return {
      target,
      fault,
      by: injection.by,
      reached,
      ending,
      acknowledged: acknowledged.ids.size,
      failure: acknowledged.words.find((word) => word.startsWith('failed ')),
      violations,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function hasHappened({ by, mark }: Injection, { signal }: Ended): boolean {
  if (!existsSync(mark)) return false;
  return by === 'preloaded' || signal === 'SIGKILL' || readFileSync(mark, 'utf8').includes('(INJECTED)');
}

function endingOf(
  { code, signal, stderr, isHanging }: Ended,
  { words }: Acknowledgements,
): Ending | undefined {
  if (isHanging) return undefined;
  if (signal === 'SIGKILL') return 'killed';
  if (code !== 0 || stderr !== '') return undefined;
  if (!words.some((word) => word.startsWith('failed ')))
    return words.at(-1) === 'closed' ? 'absorbed' : undefined;
  const failedAtOpening = !words.some((word) => word.startsWith('opened '));
  const refusesOn = words.includes('afterwards LogUnavailable') && words.at(-1) === 'closed';
  const isOurs = words.some((word) => /^failed Log(Unavailable|Locked): /.test(word));
  return isOurs && (failedAtOpening || refusesOn) ? 'refused' : undefined;
}

async function runChild(
  folder: string,
  said: Acknowledgements,
  { wrapper, environment }: Pick<Injection, 'wrapper' | 'environment'>,
): Promise<Ended> {
  const [command = process.execPath, ...args] = [
    ...wrapper,
    process.execPath,
    ...[CHILD, join(folder, 'log'), ORIGIN, `${SEED}`, join(folder, 'effects'), `${WAVES}`],
  ];
  const words = join(folder, 'words');
  // A file takes what is said at once, however busy we are.
  const stdout = openSync(words, 'w');
  const child = spawn(command, args, {
    stdio: ['ignore', stdout, 'pipe'],
    env: {
      ...process.env,
      ...environment,
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      // One thread for the publisher's files: the order of its calls is then always the same.
      UV_THREADPOOL_SIZE: '1',
    },
  });
  closeSync(stdout);
  let isHanging = false;
  const timer = setTimeout(() => {
    isHanging = true;
    child.kill('SIGKILL');
  }, HANGING_MS);
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  const ended = await new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, stderr, isHanging }));
  });
  clearTimeout(timer);
  for (const line of readFileSync(words, 'utf8').split('\n').slice(0, -1)) said.hear(line);
  return { ...ended, isHanging };
}
