import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

/**
 * Ends sandboxes of an account that nobody can let run any more: whoever held them was killed before, and bubblewrap only
 * follows its parent once its program runs. They are told by the gate they wait at, and by the parent they lost.
 *
 * For where no control group knows them.
 */
export function killOrphans(uid: number): void {
  for (const name of readdirSync('/proc')) {
    if (/^\d+$/.test(name) && isOrphan(name, uid)) {
      try {
        process.kill(Number(name), 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
  }
}

function isOrphan(pid: string, uid: number): boolean {
  try {
    const { uid: owner } = statSync(`/proc/${pid}`);
    // What has changed its credentials belongs to root, to the eye of other accounts.
    if ((owner !== uid && owner !== 0) || commandOf(pid) !== 'bwrap') return false;
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const [, parent = '0'] = /^PPid:\t(\d+)$/m.exec(status) ?? [];
    // The outer bubblewrap is in this process's namespace, and lives as long as its own parent.
    const isInner = /^NSpid:\t\d+\t\d+/m.test(status);
    return isInner && commandOf(parent) !== 'bwrap' && waitsAtGate(pid);
  } catch {
    return false;
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1').trim();
  } catch {
    return '';
  }
}

function waitsAtGate(pid: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((descriptor) =>
    /\/writ-gate-\w+\/\d+ \(deleted\)$/.test(readlinkSync(`/proc/${pid}/fd/${descriptor}`)),
  );
}
