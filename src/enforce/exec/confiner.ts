import { lstatSync, readFileSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { type Digest, digestOf } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { Component } from '../../environment/index.ts';
import { openControlGroup } from './control-group.ts';
import { GateStock } from './gate-stock.ts';
import { isChangeableByOthers, ROOT } from './program-place.ts';
import { seccompFilter } from './seccomp-filter.ts';

/** A program of the system that the chain to the confined program leads through. */
export interface ChainProgram {
  readonly path: string;
  readonly digest: Digest;
}

/** What confines on this machine. */
export interface Confiner {
  readonly bubblewrap: ChainProgram;
  readonly prlimit: ChainProgram;
  readonly gates: GateStock;
  /** Undefined for a program that no control group can be made for. */
  readonly openGroup: typeof openControlGroup;
  /** Account that programs run as; undefined for the caller's own, who is not root. */
  readonly account: Account | undefined;
}

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export interface ConfinerOptions {
  readonly account?: Account;
  /** Where the programs are looked for. */
  readonly folders?: readonly string[];
}

/**
 * The account that programs run as where Writ runs as root and names no other: outside of what systems hand out to
 * people (from 1000), services (below) and dynamic users (61184 to 65519).
 */
export const DEFAULT_ACCOUNT: Account = { uid: 60_917, gid: 60_917 };

const FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin'];

/**
 * Finds what confines here. INVARIANT: only programs that nobody but root can change, and no root account.
 *
 * @returns `environment.unmeasured` that says what is missing.
 */
export function findConfiner({ account, folders = FOLDERS }: ConfinerOptions = {}): Confiner | Denial {
  if (process.platform !== 'linux') {
    return deny('environment.unmeasured', 'programs are confined on Linux only: run Writ in a Linux machine');
  }
  if (seccompFilter() === undefined) {
    return deny('environment.unmeasured', `there is no system call filter for ${process.arch}`);
  }
  const bubblewrap = findTrusted('bwrap', folders, 'bubblewrap');
  if (isDenial(bubblewrap)) return bubblewrap;
  const prlimit = findTrusted('prlimit', folders, 'util-linux');
  if (isDenial(prlimit)) return prlimit;
  const mkfifo = findTrusted('mkfifo', folders, 'coreutils');
  if (isDenial(mkfifo)) return mkfifo;
  const isRoot = process.getuid?.() === 0;
  const chosen = isRoot ? (account ?? DEFAULT_ACCOUNT) : undefined;
  if (chosen !== undefined && (chosen.uid < 1 || chosen.gid < 1)) {
    return deny('environment.unmeasured', 'programs are not run as root: name another account');
  }
  return {
    bubblewrap,
    prlimit,
    gates: new GateStock(mkfifo.path),
    openGroup: openControlGroup,
    account: chosen,
  };
}

/** What programs run as: without a confiner, what they would. */
export function accountOf(confiner: Confiner | Denial): Account {
  const own = { uid: process.getuid?.() ?? 65_534, gid: process.getgid?.() ?? 65_534 };
  return (isDenial(confiner) ? undefined : confiner.account) ?? (own.uid === 0 ? DEFAULT_ACCOUNT : own);
}

/** The chain as components of the measurement: an artifact may be bound to them. */
export function confinerComponents({ bubblewrap, prlimit }: Confiner): readonly Component[] {
  return [bubblewrap, prlimit].map(({ path, digest }) => ({
    kind: 'confiner',
    name: basename(path),
    digest,
  }));
}

function findTrusted(name: string, folders: readonly string[], pack: string): ChainProgram | Denial {
  for (const folder of folders) {
    let path: string;
    try {
      path = realpathSync(`${folder}/${name}`);
    } catch {
      continue;
    }
    const untrusted = findUntrusted(path);
    if (untrusted !== undefined) return untrusted;
    return { path, digest: digestOf(readFileSync(path)) };
  }
  return deny('environment.unmeasured', `${name} is missing: install ${pack} (apt-get install ${pack})`);
}

/** Whether somebody but root could put another program there. */
function findUntrusted(path: string): Denial | undefined {
  const segments = path.split('/');
  for (let length = segments.length; length > 0; length -= 1) {
    const part = segments.slice(0, length).join('/') || '/';
    if (isChangeableByOthers(lstatSync(part), [ROOT])) {
      return deny('environment.unmeasured', `${part} can be changed by others than root`);
    }
  }
  return undefined;
}
