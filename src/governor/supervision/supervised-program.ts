import { stat } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { basename, resolve } from 'node:path';
import { canonicalize, type Digest, digestOf } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import {
  type Component,
  digestFile,
  digestTree,
  measureUpstream,
  SUPERVISED_KIND,
  SUPERVISOR_COLLECTOR,
} from '../../environment/index.ts';

/** A program that the daemon starts, as the domain's owner configured it. */
export interface SupervisedProgram {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Files and folders that are measured besides, relative to `cwd`. */
  readonly files: readonly string[];
}

/** A program as it was measured. */
export interface MeasuredProgram {
  /** The file that is started; an interpreter, where the command is a script. */
  readonly executable: Digest;
  readonly scriptName?: string;
  /** Which state of which file the script was, before it was read: it differs after any write, also one that was undone. */
  readonly scriptState?: string;
  readonly components: readonly Component[];
}

/** Where programs are looked up; another one is the owner's to configure. */
const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The whole environment that a program gets. INVARIANT: nothing of the daemon's own: who starts a daemon on demand may have
 * `NODE_OPTIONS` or `LD_PRELOAD` set, or have had them set for them.
 */
export function environmentOf({ environment }: SupervisedProgram): Record<string, string> {
  return {
    PATH: SEARCH_PATH,
    HOME: homeFolder(),
    // Else whoever may send a signal could have Node listen for a debugger, and put any code into it.
    NODE_OPTIONS: '--disable-sigusr1',
    ...environment,
  };
}

/** Of the user, and not of `HOME`, which the daemon was given. */
function homeFolder(): string {
  try {
    return userInfo().homedir;
  } catch {
    return homedir();
  }
}

/** Measures what starting a program would run. Denies with `environment.unmeasured` where that cannot be told. */
export async function measureSupervised(
  program: SupervisedProgram,
  atSeconds: number,
): Promise<MeasuredProgram | Denial> {
  const { command, args, cwd, files } = program;
  const environment = environmentOf(program);
  const measured = await measureUpstream({ command, args, cwd, searchPath: environment.PATH ?? SEARCH_PATH });
  if (isDenial(measured)) return measured;
  const executable = await digestFile(measured.executablePath);
  if (executable === undefined) {
    return deny('environment.unmeasured', 'the executable of a supervised program cannot be read');
  }
  const { entryPath } = measured;
  const digests = new Map<string, Digest>([
    ['executable', executable],
    ['arguments', digestOf(canonicalize([...args]))],
    ['environment', digestOf(canonicalize(environment))],
  ]);
  const scriptState = entryPath === undefined ? undefined : await stateOf(entryPath);
  const script = entryPath === undefined ? undefined : await digestFile(entryPath);
  if (entryPath !== undefined && script === undefined) {
    return deny('environment.unmeasured', 'the script of a supervised program cannot be read');
  }
  if (script !== undefined) digests.set('script', script);
  for (const { kind, digest } of measured.components) {
    if (kind === 'package' || kind === 'lockfile') digests.set(kind, digest);
  }
  for (const file of files) {
    const path = resolve(cwd, file);
    const digest = (await digestFile(path)) ?? (await digestTree(path));
    if (digest === undefined) {
      return deny('environment.unmeasured', 'a file of a supervised program cannot be measured');
    }
    digests.set(`files/${file}`, digest);
  }
  const reported = measured.components.find(
    ({ kind, digest }) => kind === 'upstream' && digest === script,
  )?.name;
  const scriptName = entryPath === undefined ? undefined : (reported ?? basename(entryPath));
  return {
    executable,
    ...(scriptName === undefined ? {} : { scriptName }),
    ...(scriptState === undefined ? {} : { scriptState }),
    components: [...digests].map(([name, digest]) => ({
      ...{ kind: SUPERVISED_KIND, name, digest },
      ...{ collector: SUPERVISOR_COLLECTOR, at: atSeconds },
    })),
  };
}

/** Names of what differs. */
export function changedBetween(before: MeasuredProgram, after: MeasuredProgram): string[] {
  const digests = new Map(after.components.map(({ name, digest }) => [name, digest]));
  const changed = before.components.filter(({ name, digest }) => digests.get(name) !== digest);
  const names = new Set(changed.map(({ kind, name }) => `${kind}/${name}`));
  if (before.scriptState !== after.scriptState) names.add(`${SUPERVISED_KIND}/script`);
  return [...names];
}

/** Change time is the kernel's own: whoever rewrites a file, or puts another in its place, cannot set it. */
async function stateOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(':');
  } catch {
    return undefined;
  }
}
