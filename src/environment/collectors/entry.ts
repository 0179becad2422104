import { hash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { binOf, foldersUp, isRegularFile, readManifest } from './nearest.ts';

export interface EntryContext {
  readonly args: readonly string[];
  readonly cwd: string;
  /** npm's cache folder, where npx keeps what it has fetched. */
  readonly npmCache: string;
}

/** Programs whose first operand is the program that matters, and their options that are followed by a value. */
const INTERPRETERS: readonly { names: RegExp; valued: readonly string[] }[] = [
  {
    names: /^(?:node|nodejs)$/,
    valued: [
      '-r',
      '--require',
      '--import',
      '--loader',
      '--experimental-loader',
      '-C',
      '--conditions',
      '--env-file',
      '--env-file-if-exists',
      '--input-type',
      '--title',
    ],
  },
  { names: /^python[0-9.]*$/, valued: ['-W', '-X'] },
  { names: /^(?:ba|da|z)?sh$/, valued: ['-o', '-O', '--rcfile', '--init-file'] },
  { names: /^(?:deno|bun|ruby|perl)$/, valued: [] },
];

/** Options with which the program is text or a module, not a file that could be found here. */
const NO_FILE = ['-e', '--eval', '-p', '--print', '-pe', '-c', '-m', '--run', '--test', '-i', '-'];

/** The file an interpreter is told to run; undefined where the program is no interpreter or names none. */
export async function findScript(program: string, context: EntryContext): Promise<string | undefined> {
  const interpreter = INTERPRETERS.find(({ names }) => names.test(program));
  if (interpreter === undefined) return undefined;
  const operand = firstOperand(context.args, interpreter.valued);
  const script = operand === 'run' ? firstOperand(operandsAfter(context.args, operand), []) : operand;
  if (script === undefined) return undefined;
  const path = resolve(context.cwd, script);
  if (await isRegularFile(path)) return await realpath(path);
  if (!/^node/.test(program)) return undefined;
  try {
    // `node dir` and `node file` without its suffix.
    return await realpath(createRequire(join(context.cwd, 'noop.js')).resolve(path));
  } catch {
    return undefined;
  }
}

/** The executable that `npx` would run, where it is installed or has been fetched before. */
export async function findNpxEntry({ args, cwd, npmCache }: EntryContext): Promise<string | undefined> {
  const wanted = parseNpx(args);
  if (wanted === undefined) return undefined;
  const match = /^(?<name>(?:@[\w.~-]+\/)?[\w.~-]+)(?:@(?<version>[^@]+))?$/.exec(wanted.spec);
  const { name, version } = match?.groups ?? {};
  if (name === undefined || basename(name).startsWith('.')) return undefined;
  const cached = join(npmCache, '_npx', hash('sha512', wanted.spec, 'hex').slice(0, 16));
  for (const folder of [...foldersUp(cwd), cached]) {
    const path = join(folder, 'node_modules', name);
    const manifest = await readManifest(path);
    if (manifest === undefined) continue;
    const isExact = version !== undefined && /^\d/.test(version);
    if (isExact && manifest.version !== version) continue;
    const bin = binOf(manifest, wanted.command ?? basename(name));
    const entry = bin === undefined ? undefined : join(path, bin);
    return entry !== undefined && (await isRegularFile(entry)) ? await realpath(entry) : undefined;
  }
  return undefined;
}

/** `npx [options] package …` and `npx --package=package … command …`. */
function parseNpx(args: readonly string[]): { spec: string; command: string | undefined } | undefined {
  let spec: string | undefined;
  for (const [index, arg] of args.entries()) {
    if (arg === '-c' || arg === '--call') return undefined;
    if (arg.startsWith('--package=')) spec = arg.slice('--package='.length);
    else if (arg === '-p' || arg === '--package') spec = args[index + 1];
    else if (!arg.startsWith('-') && !isValueOf(args[index - 1])) {
      return spec === undefined ? { spec: arg, command: undefined } : { spec, command: arg };
    }
  }
  return undefined;
}

function isValueOf(previous: string | undefined): boolean {
  return previous === '-p' || previous === '--package';
}

function firstOperand(args: readonly string[], valued: readonly string[]): string | undefined {
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    if (NO_FILE.includes(arg)) return undefined;
    if (arg === '--') return args[index + 1];
    if (!arg.startsWith('-')) return arg;
    if (valued.includes(arg)) index += 1;
  }
  return undefined;
}

function operandsAfter(args: readonly string[], operand: string): readonly string[] {
  return args.slice(args.indexOf(operand) + 1);
}
