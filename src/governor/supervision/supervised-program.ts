import { lstat, readdir, realpath } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { canonicalize, type Digest, digestOf } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import {
  type Component,
  digestFile,
  digestTree,
  fileIdentity,
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
  /** By component, which state of which files it was, before they were read: it differs after any write, also one that was undone. */
  readonly states: ReadonlyMap<string, string>;
  readonly components: readonly Component[];
}

/** More than any tree has that is measured. */
const MAX_STATES = 32_768;

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
  const states = new Map<string, string>();
  if (entryPath !== undefined) states.set('script', await stateOf(entryPath));
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
    states.set(`files/${file}`, await stateOf(path));
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
    states,
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
  for (const [name, state] of before.states) {
    if (after.states.get(name) !== state) names.add(`${SUPERVISED_KIND}/${name}`);
  }
  return [...names];
}

/** Of a file, or of everything in a folder: of that digests bound the size. */
async function stateOf(path: string): Promise<string> {
  const states: string[] = [];
  const open = [await realpath(path).catch(() => path)];
  for (let at = open.pop(); at !== undefined && states.length < MAX_STATES; at = open.pop()) {
    states.push(await identityOf(at));
    const entries = await readdir(at, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const below = join(at, entry.name);
      if (entry.isDirectory()) open.push(below);
      else states.push(await identityOf(below));
    }
  }
  return digestOf(states.sort().join('\n'));
}

async function identityOf(path: string): Promise<string> {
  try {
    return fileIdentity(await lstat(path, { bigint: true }));
  } catch {
    return '-';
  }
}
