import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type Pipeline, parseShellLine, type SimpleCommand, type Target } from '../enforce/exec/index.ts';
import { programFile } from '../governor/index.ts';
import { CliError, type ExitCode } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { DENIED, KILLED } from './exec-conclusion.ts';
import type { Session } from './session.ts';
import type { Surroundings } from './surroundings.ts';

interface Options {
  readonly c?: string;
  readonly daemon: string;
}

/** Of a shell that does not understand what it was given. */
const SYNTAX = 2;
type Stdio = 'pipe' | 'ignore' | number;
const ENDING: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'];

export const define: Define = (command, act) => {
  command
    .description(
      `A shell for agents' shell tools: every command of the line is run by "writ exec", decided and recorded by itself. "writ-sh" is
this command as a program, to be set as SHELL. It understands words and quotes, NAME=VALUE in front of a command, |, &&, ||, ;, newlines,
cd, :, true, false, and redirections to /dev/null and 2>&1. A line with anything else (expansions, substitutions, patterns, files,
background, loops) is refused whole with exit code 2, before anything of it runs.`,
    )
    .requiredOption('-c <line>', 'what to run')
    .option('-l, --login', 'means nothing here: no profile is read')
    .option('--daemon <use>', 'as of "writ exec"', 'running')
    .addHelpText('after', examples(`$ writ exec shell -c 'cd /srv/data && count -l orders.csv | show'`))
    .action(act(runLine));
};

async function runLine(session: Session, { c = '', daemon }: Options): Promise<ExitCode> {
  const line = parseShellLine(c);
  if ('problem' in line) {
    throw new CliError({
      code: 'usage',
      message: `this shell does not take ${line.problem}: nothing was run`,
      hint: 'name programs and arguments literally, one step at a time; "writ exec shell --help" says what it understands',
      exitCode: SYNTAX,
    });
  }
  const { folder } = await session.openHome();
  const shell = new Shell(session.surroundings, ['--home', folder, 'exec', '--daemon', daemon]);
  return await shell.run(line);
}

class Shell {
  readonly #surroundings: Surroundings;
  readonly #exec: readonly string[];
  readonly #children = new Set<ChildProcess>();
  #cwd: string;
  #isEnding = false;

  constructor(surroundings: Surroundings, exec: readonly string[]) {
    this.#surroundings = surroundings;
    this.#exec = exec;
    this.#cwd = surroundings.cwd;
  }

  async run(line: readonly Pipeline[]): Promise<ExitCode> {
    const pass = (signal: NodeJS.Signals): void => {
      this.#isEnding = true;
      for (const child of this.#children) child.kill(signal);
    };
    for (const signal of ENDING) process.on(signal, pass);
    let code: ExitCode = 0;
    try {
      for (const { when, commands } of line) {
        if (this.#isEnding) break;
        if (when === 'always' || (when === 'succeeded') === (code === 0)) code = await this.#pipe(commands);
      }
    } finally {
      for (const signal of ENDING) process.off(signal, pass);
    }
    return code;
  }

  async #pipe(commands: readonly SimpleCommand[]): Promise<ExitCode> {
    const [first] = commands;
    const own = first !== undefined && commands.length === 1 ? this.#builtin(first.words) : undefined;
    if (own !== undefined) return own;
    const { stdin, stdout, stderr } = this.#surroundings;
    const codes: Promise<ExitCode>[] = [];
    let before: readonly Readable[] | undefined;
    for (const [index, command] of commands.entries()) {
      const isLast = index === commands.length - 1;
      const out: Stdio =
        command.stdout === 'nowhere' ? 'ignore' : isLast && stdout === process.stdout ? 1 : 'pipe';
      const errTo: Readonly<Record<Target, Stdio>> = {
        out,
        err: stderr === process.stderr ? 2 : 'pipe',
        nowhere: 'ignore',
      };
      const err: Stdio = errTo[command.stderr];
      const input: Stdio = command.hasNoInput
        ? 'ignore'
        : before === undefined && stdin === process.stdin
          ? 0
          : 'pipe';
      const variables = command.environment.flatMap(([name, value]) => ['--env', `${name}=${value}`]);
      const stdio: StdioOptions = [input, out, err];
      const child: ChildProcess = spawn(
        process.execPath,
        [programFile(), ...this.#exec, ...variables, '--', ...command.words],
        { cwd: this.#cwd, stdio },
      );
      this.#children.add(child);
      feed(child, before ?? (index === 0 ? [stdin] : []));
      const outputs: Readable[] = [];
      for (const [stream, target] of [
        [child.stdout, command.stdout],
        [child.stderr, command.stderr],
      ] as const) {
        if (stream === null) continue;
        if (target === 'err') stream.pipe(stderr, { end: false });
        else if (isLast) stream.pipe(stdout, { end: false });
        else outputs.push(stream);
      }
      before = outputs;
      codes.push(this.#ended(child));
    }
    return (await Promise.all(codes)).at(-1) ?? 0;
  }

  async #ended(child: ChildProcess): Promise<ExitCode> {
    try {
      await once(child, 'close');
      return child.exitCode ?? KILLED;
    } catch {
      return DENIED;
    } finally {
      this.#children.delete(child);
    }
  }

  /** What has no effect but on this shell. */
  #builtin([name, ...args]: SimpleCommand['words']): ExitCode | undefined {
    if (name === ':' || name === 'true') return 0;
    if (name === 'false') return 1;
    if (name !== 'cd') return undefined;
    const [folder, ...others] = args;
    const to = folder === undefined ? undefined : resolve(this.#cwd, folder);
    if (to === undefined || folder === '-' || others.length > 0 || !isFolder(to)) {
      this.#surroundings.stderr.write('cd: name one folder that is there\n');
      return 1;
    }
    this.#cwd = to;
    return 0;
  }
}

/** What comes before may say more than the command reads: then it is told so. */
function feed({ stdin }: ChildProcess, sources: readonly Readable[]): void {
  if (stdin === null) {
    for (const source of sources) if (source !== process.stdin) source.resume();
    return;
  }
  let open = sources.length;
  if (open === 0) stdin.end();
  stdin.on('error', () => undefined);
  stdin.once('close', () => {
    for (const source of sources) source.destroy();
  });
  for (const source of sources) {
    source.pipe(stdin, { end: false });
    void finished(source, { writable: false })
      .catch(() => undefined)
      .then(() => {
        open -= 1;
        if (open === 0) stdin.end();
      });
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
