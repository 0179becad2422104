import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Limits } from './limits.ts';

/** What a program and all that it started used up. */
export interface GroupUse {
  readonly memoryPeakBytes?: number;
  readonly wasOutOfMemory: boolean;
}

/** A control group of one program: it bounds and counts all of its processes together. */
export interface ControlGroup {
  add(pid: number): void;
  /** Kills all of them at once; false where the kernel has no way to. */
  kill(): boolean;
  use(): GroupUse;
  /** To be called when all of its processes are gone. */
  remove(): void;
}

const ROOT = '/sys/fs/cgroup';
/** Processes of the sandbox itself. */
const OWN_PROCESSES = 4;

/** Undefined where groups cannot be made here, or do not bound both memory and processes. */
export function openControlGroup(name: string, limits: Limits): ControlGroup | undefined {
  try {
    return existsSync(join(ROOT, 'cgroup.controllers'))
      ? openUnified(name, limits)
      : openSeparate(name, limits);
  } catch {
    return undefined;
  }
}

/** Version 1: a hierarchy per controller. */
function openSeparate(name: string, limits: Limits): ControlGroup {
  const own = ownGroups();
  const folders = ['memory', 'pids'].map((controller) =>
    join(ROOT, controller, own.get(controller) ?? '/', `writ-exec-${name}`),
  );
  const [memory = '', pids = ''] = folders;
  makeAll(folders, () => {
    writeFileSync(join(memory, 'memory.limit_in_bytes'), `${limits.memoryBytes}`);
    // Absent where the kernel does not account for swap.
    if (existsSync(join(memory, 'memory.memsw.limit_in_bytes'))) {
      writeFileSync(join(memory, 'memory.memsw.limit_in_bytes'), `${limits.memoryBytes}`);
    }
    writeFileSync(join(pids, 'pids.max'), `${limits.processes + OWN_PROCESSES}`);
  });
  return {
    add(pid) {
      for (const folder of folders) writeFileSync(join(folder, 'cgroup.procs'), `${pid}`);
    },
    kill: () => false,
    use: () => ({
      ...peak(join(memory, 'memory.max_usage_in_bytes')),
      wasOutOfMemory: counted(join(memory, 'memory.oom_control'), 'oom_kill') > 0,
    }),
    remove: () => removeAll(folders),
  };
}

/** Version 2: one hierarchy. A group beside the caller's own, which may not have children itself. */
function openUnified(name: string, limits: Limits): ControlGroup {
  const own = ownGroups().get('') ?? '/';
  const parent = join(ROOT, process.getuid?.() === 0 ? 'writ' : dirname(own));
  mkdirSync(parent, { recursive: true });
  for (const above of process.getuid?.() === 0 ? [ROOT, parent] : [parent]) {
    const active = readFileSync(join(above, 'cgroup.subtree_control'), 'utf8').split(/\s+/);
    if (!active.includes('memory') || !active.includes('pids')) {
      writeFileSync(join(above, 'cgroup.subtree_control'), '+memory +pids');
    }
  }
  const folder = join(parent, `exec-${name}`);
  makeAll([folder], () => {
    writeFileSync(join(folder, 'memory.max'), `${limits.memoryBytes}`);
    if (existsSync(join(folder, 'memory.swap.max'))) writeFileSync(join(folder, 'memory.swap.max'), '0');
    writeFileSync(join(folder, 'memory.oom.group'), '1');
    writeFileSync(join(folder, 'pids.max'), `${limits.processes + OWN_PROCESSES}`);
  });
  return {
    add: (pid) => writeFileSync(join(folder, 'cgroup.procs'), `${pid}`),
    kill() {
      try {
        writeFileSync(join(folder, 'cgroup.kill'), '1');
        return true;
      } catch {
        return false;
      }
    },
    use: () => ({
      ...peak(join(folder, 'memory.peak')),
      wasOutOfMemory: counted(join(folder, 'memory.events'), 'oom_kill') > 0,
    }),
    remove: () => removeAll([folder]),
  };
}

/** By controller; under the empty name, the group of version 2. */
function ownGroups(): ReadonlyMap<string, string> {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [, controllers = '', path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      return controllers.split(',').map((controller) => [controller, path] as const);
    }),
  );
}

/** All of the folders with their limits set, or none. */
function makeAll(folders: readonly string[], setLimits: () => void): void {
  try {
    for (const folder of folders) mkdirSync(folder);
    setLimits();
  } catch (error) {
    removeAll(folders);
    throw error;
  }
}

function removeAll(folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      rmdirSync(folder);
    } catch {
      // Not there, or its last process is still being buried; an empty group costs nothing.
    }
  }
}

function peak(path: string): { readonly memoryPeakBytes?: number } {
  try {
    const bytes = Number(readFileSync(path, 'utf8').trim());
    return Number.isSafeInteger(bytes) ? { memoryPeakBytes: bytes } : {};
  } catch {
    return {};
  }
}

function counted(path: string, name: string): number {
  try {
    const line = readFileSync(path, 'utf8')
      .split('\n')
      .find((text) => text.startsWith(`${name} `));
    return Number(line?.split(' ')[1] ?? 0);
  } catch {
    return 0;
  }
}
