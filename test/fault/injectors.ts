import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SHIM_SOURCE = fileURLToPath(new URL('./syscall-fault.c', import.meta.url));

/** `fails`: not done, EIO. `persists`: done, and EIO all the same. `kill`: the process dies before it is done. */
export type Fault = 'fails' | 'persists' | 'kill';

/** One system call of a run. `number` counts the calls of that name on that path, from 1. */
export interface Target {
  readonly call: string;
  /** Relative to the log's directory; `.` for itself. */
  readonly path: string;
  readonly number: number;
  /** Whether only one thread makes this call on this path, so that strace, which counts by thread, can tell which it is. */
  readonly oneThread: boolean;
  /** An `openat` that creates nothing has no effect that could persist. */
  readonly changesNothing: boolean;
}

/** A command that runs another with a fault in it, and tells afterwards whether the fault came to happen. */
export interface Injection {
  readonly wrapper: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Holds `INJECTED`, or exists, once the fault has happened. */
  readonly mark: string;
  readonly by: 'strace' | 'preloaded';
}

/** Makes sure of a Debian package's program: installed where we are root, else undefined. Says so on stderr. */
function provide(program: string, probe: readonly string[], debianPackages: readonly string[]): boolean {
  const isThere = () => spawnSync(program, probe, { stdio: 'ignore' }).status === 0;
  if (isThere()) return true;
  if (process.platform === 'linux' && process.getuid?.() === 0) {
    for (const args of [
      ['update', '-qq'],
      ['install', '-y', '-qq', ...debianPackages],
    ]) {
      spawnSync('apt-get', args, {
        stdio: 'ignore',
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
    }
    if (isThere()) return true;
  }
  process.stderr.write(
    `SKIPPED: there is no ${program}; install it (apt-get install ${debianPackages.join(' ')}) to inject faults\n`,
  );
  return false;
}

export interface Injectors {
  /** Undefined where the fault cannot be injected with what is at hand. */
  inject(directory: string, target: Target, fault: Fault, mark: string): Injection | undefined;
  /** Wraps a command so that its system calls are written to a file. */
  record(calls: readonly string[], file: string): readonly string[];
}

/** strace for all it can do, a preloaded library for the rest. Undefined, with a message, where there is no strace. */
export function findInjectors(): Injectors | undefined {
  if (!provide('strace', ['-V'], ['strace'])) return undefined;
  const shim = buildShim();
  return {
    record: (calls, file) => [
      'strace',
      '--seccomp-bpf',
      '-f',
      '-qq',
      '-y',
      '-o',
      file,
      '-e',
      `trace=${calls}`,
    ],
    inject(directory, target, fault, mark) {
      const path = join(directory, target.path);
      if (fault !== 'persists' && target.oneThread) return byStrace(path, target, fault, mark);
      return shim === undefined ? undefined : byShim(shim, path, target, fault, mark);
    },
  };
}

function byStrace(path: string, { call, number }: Target, fault: Fault, mark: string): Injection {
  // With --seccomp-bpf, strace 6.1 injects errors but no signals.
  const [effect, ...faster] = fault === 'kill' ? ['signal=KILL'] : ['error=EIO', '--seccomp-bpf'];
  const options = [...faster, '-f', '-qq', '-o', mark, '-P', path, '-e', `trace=${call}`];
  return {
    wrapper: ['strace', ...options, '-e', `inject=${call}:${effect}:when=${number}`],
    environment: {},
    mark,
    by: 'strace',
  };
}

function byShim(shim: string, path: string, { call, number }: Target, fault: Fault, mark: string): Injection {
  return {
    wrapper: [],
    environment: {
      LD_PRELOAD: shim,
      WRIT_FAULT_CALL: call,
      WRIT_FAULT_PATH: path,
      WRIT_FAULT_NUMBER: `${number}`,
      WRIT_FAULT_MODE: fault,
      WRIT_FAULT_MARK: mark,
    },
    mark,
    by: 'preloaded',
  };
}

function buildShim(): string | undefined {
  if (!provide('gcc', ['--version'], ['gcc', 'libc6-dev'])) return undefined;
  const file = join(mkdtempSync(join(tmpdir(), 'writ-shim-')), 'syscall-fault.so');
  const built = spawnSync('gcc', ['-std=gnu17', '-O1', '-shared', '-fPIC', '-o', file, SHIM_SOURCE, '-ldl'], {
    encoding: 'utf8',
  });
  if (built.status === 0) return file;
  process.stderr.write(`SKIPPED: ${SHIM_SOURCE} does not compile here: ${built.stderr}\n`);
  return undefined;
}
