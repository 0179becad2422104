import { readdirSync, readFileSync, statSync } from 'node:fs';

/** Processes and threads of an account. */
export function countProcesses(uid: number): number {
  let count = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (statSync(`/proc/${name}`).uid === uid) count += statSync(`/proc/${name}/task`).nlink - 2;
    } catch {
      // Gone meanwhile.
    }
  }
  return count;
}

export function childrenOf(pid: number): readonly number[] {
  return readText(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** Of a file below `/proc`; empty where its process is gone. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}
