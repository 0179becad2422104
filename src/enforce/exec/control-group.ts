import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Limits } from './limits.ts';

/** What a program and all that it started used up. */
export interface GroupUse {
  readonly memoryPeakBytes?: number;
  readonly cpuMs?: number;
  readonly wasOutOfMemory: boolean;
}

/** A control group of one program: it bounds and counts all of its processes together. */
export interface ControlGroup {
  add(pid: number): void;
  use(): GroupUse;
  /** To be called when all of its processes are gone. */
  remove(): void;
}

const ROOT = '/sys/fs/cgroup';
const PREFIX = 'writ-exec-';
const REMOVE_AGAIN_MS = 200;
/** Processes of the sandbox itself. */
const OWN_PROCESSES = 4;

/** Undefined where groups cannot be made here, or do not bound both memory and processes. */
export function openControlGroup(limits: Limits): ControlGroup | undefined {
  const name = `${PREFIX}${process.pid}-${randomUUID()}`;
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
  const parents = ['memory', 'pids', 'cpuacct'].map((controller) =>
    join(ROOT, controller, own.get(controller) ?? '/'),
  );
  for (const parent of parents) sweep(parent);
  const folders = parents.map((parent) => join(parent, name));
  const [memory = '', pids = '', cpu = ''] = folders;
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
    use: () => ({
      ...wholeNumber('memoryPeakBytes', readText(join(memory, 'memory.max_usage_in_bytes'))),
      ...wholeNumber('cpuMs', Math.round(Number(readText(join(cpu, 'cpuacct.usage'))) / 1e6)),
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
  sweep(parent);
  const folder = join(parent, name);
  makeAll([folder], () => {
    writeFileSync(join(folder, 'memory.max'), `${limits.memoryBytes}`);
    if (existsSync(join(folder, 'memory.swap.max'))) writeFileSync(join(folder, 'memory.swap.max'), '0');
    writeFileSync(join(folder, 'memory.oom.group'), '1');
    writeFileSync(join(folder, 'pids.max'), `${limits.processes + OWN_PROCESSES}`);
  });
  return {
    add: (pid) => writeFileSync(join(folder, 'cgroup.procs'), `${pid}`),
    use: () => ({
      ...wholeNumber('memoryPeakBytes', readText(join(folder, 'memory.peak'))),
      ...wholeNumber('cpuMs', Math.round(counted(join(folder, 'cpu.stat'), 'usage_usec') / 1000)),
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

/** Its last process may still be being buried: then once more, a moment later; else the next sweep has it. */
function removeAll(folders: readonly string[], again = true): void {
  const left = folders.filter((folder) => {
    try {
      rmdirSync(folder);
      return false;
    } catch {
      return existsSync(folder);
    }
  });
  if (left.length > 0 && again) setTimeout(() => removeAll(left, false), REMOVE_AGAIN_MS).unref();
}

/**
 * Ends what is left of processes like this one that were killed before their programs were: a program that was never let
 * run waits for a word that nobody can give any more.
 */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const [, pid] = /^writ-exec-(\d+)-[0-9a-f-]{36}$/.exec(name) ?? [];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    for (const left of readText(join(parent, name, 'cgroup.procs')).split('\n')) {
      try {
        if (left !== '') process.kill(Number(left), 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
    removeAll([join(parent, name)]);
  }
}

function wholeNumber(name: 'memoryPeakBytes' | 'cpuMs', text: string | number): Partial<GroupUse> {
  const value = text === '' ? Number.NaN : Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? { [name]: value } : {};
}

function counted(path: string, name: string): number {
  const line = readText(path)
    .split('\n')
    .find((text) => text.startsWith(`${name} `));
  return Number(line?.split(' ')[1] ?? 0);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
