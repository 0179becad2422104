import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Digest } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { type Component, joinComponents } from '../component.ts';
import { findNpxEntry, findScript } from './entry.ts';
import { findExecutable } from './executable.ts';
import { digestFile } from './file-digest.ts';
import { nearestLockfile, nearestPackage, readShebang } from './nearest.ts';
import { digestTree } from './tree-digest.ts';
import { isForeignFolder, type OnRead } from './watch-target.ts';

/** How an upstream server is started. */
export interface UpstreamCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The `PATH` it is looked up on. */
  readonly searchPath: string;
  /** npm's cache folder, for `npx`; `~/.npm` by default. */
  readonly npmCache?: string;
}

export interface UpstreamMeasurement {
  readonly components: readonly Component[];
  /** The executable and, where there is one, the script it runs; for people, not for receipts. */
  readonly executablePath: string;
  readonly entryPath?: string;
}

/** A program of the upstream's and what it is called. */
interface Program {
  readonly path: string;
  readonly name: string;
}

/**
 * Measures the program that a command would start, before it is started (spec/environment.md §4): kind `upstream` for the
 * executable and the script it runs, `package` for the installed package the script belongs to, `lockfile` for what
 * that may import. Names never repeat arguments, only the entry's package or file name. Denies with
 * `environment.unmeasured` where there is no such executable; a part that cannot be found or read is left out, so that
 * a binding on it does not hold.
 */
export async function measureUpstream(
  command: UpstreamCommand,
  onRead?: OnRead,
): Promise<UpstreamMeasurement | Denial> {
  try {
    const programs = await findPrograms(command);
    if (isDenial(programs)) return programs;
    const { executable, launcher, entry } = programs;
    for (const one of [executable, launcher, entry]) if (one !== undefined) onRead?.({ path: one.path });
    const components = await Promise.all([
      component('upstream', executable.name, digestFile(executable.path)),
      ...(launcher ? [component('upstream', launcher.name, digestFile(launcher.path))] : []),
      ...(entry ? await measureEntry(entry, onRead) : []),
    ]);
    return {
      components: joinComponents(components.filter((found) => found !== undefined)),
      executablePath: executable.path,
      ...(entry ? { entryPath: entry.path } : {}),
    };
  } catch {
    return deny('environment.unmeasured', 'the upstream cannot be measured');
  }
}

async function findPrograms(
  command: UpstreamCommand,
): Promise<{ executable: Program; launcher?: Program; entry?: Program } | Denial> {
  const { cwd, searchPath } = command;
  const path = await findExecutable(command.command, cwd, searchPath);
  if (path === undefined)
    return deny('environment.unmeasured', 'the upstream command is not an executable file');
  const context = { ...command, npmCache: command.npmCache ?? join(homedir(), '.npm') };
  const shebang = await readShebang(path);
  if (shebang === undefined) {
    // An interpreter goes by several names (`sh` is `dash`): either may be the one that is known.
    const script =
      (await findScript(basename(command.command), context)) ?? (await findScript(basename(path), context));
    return { executable: named(path), ...(script ? { entry: await namedByPackage(script) } : {}) };
  }
  const interpreter = await findInterpreter(shebang, cwd, searchPath);
  if (interpreter === undefined) {
    return deny(
      'environment.unmeasured',
      'the interpreter of the upstream command is not an executable file',
    );
  }
  const executable = named(interpreter);
  const script = await namedByPackage(path);
  if (basename(command.command) !== 'npx') return { executable, entry: script };
  const entry = await findNpxEntry(context);
  return { executable, launcher: script, ...(entry ? { entry: await namedByPackage(entry) } : {}) };
}

/** The program of a `#!` line; through `env`, the first word that is neither an option nor an assignment. */
async function findInterpreter(
  shebang: string,
  cwd: string,
  searchPath: string,
): Promise<string | undefined> {
  const [program = '', ...words] = shebang.split(/\s+/);
  const name =
    basename(program) === 'env'
      ? words.find((word) => !word.startsWith('-') && !word.includes('='))
      : program;
  return name === undefined ? undefined : await findExecutable(name, cwd, searchPath);
}

async function measureEntry(
  { path, name }: Program,
  onRead: OnRead | undefined,
): Promise<Promise<Component | undefined>[]> {
  const folder = dirname(path);
  const home = await nearestPackage(folder);
  const lockfile = await nearestLockfile(folder);
  const installed = home?.path.includes('/node_modules/') ? home.path : undefined;
  if (installed !== undefined) onRead?.({ path: installed, isTree: true });
  if (lockfile !== undefined) onRead?.({ path: lockfile });
  return [
    component('upstream', name, digestFile(path)),
    // An installed package changes with its version only; a project of one's own holds whatever is being worked on.
    ...(installed === undefined
      ? []
      : [component('package', name, digestTree(installed, { skip: isForeignFolder }))]),
    ...(lockfile ? [component('lockfile', name, digestFile(lockfile))] : []),
  ];
}

async function component(
  kind: string,
  name: string,
  digest: Promise<Digest | undefined>,
): Promise<Component | undefined> {
  const known = await digest;
  return known && { kind, name, digest: known };
}

function named(path: string): Program {
  return { path, name: printable(basename(path)) };
}

async function namedByPackage(path: string): Promise<Program> {
  const name = (await nearestPackage(dirname(path)))?.name;
  return { path, name: name ?? printable(basename(path)) };
}

const MAX_NAME_CHARACTERS = 255;

function printable(name: string): string {
  return name.toWellFormed().replace(/\p{C}/gu, '\ufffd').slice(0, MAX_NAME_CHARACTERS).toWellFormed();
}
