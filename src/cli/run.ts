import { Command, CommanderError } from 'commander';
import { CliError, type CliProblem, type ExitCode } from './cli-error.ts';
import type { Act, Action } from './command.ts';
import { COMMANDS, type CommandEntry, type CommandGroup } from './command-table.ts';
import { Output, writeText } from './output.ts';
import { type GlobalOptions, Session } from './session.ts';
import type { Surroundings } from './surroundings.ts';
import { version } from './version.ts';

const DESCRIPTION = `Governed execution for autonomous systems: nothing runs until a signed authorization is verified
and the decision is durable in a Merkle log.`;

const START = `
Start here:
  $ writ init --server fs -- npx -y @modelcontextprotocol/server-filesystem ~/work
  $ writ log show

Exit codes: 0 done or permit, 1 denied or not verified, 2 wrong usage.`;

/** Runs one command line (without program name) and returns its exit code. Never throws. */
export async function run(argv: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  let exitCode: ExitCode = 0;
  const program = new Command('writ');
  program
    .description(DESCRIPTION)
    .option('--json', 'print JSON')
    .option('--home <dir>', 'the trust domain (default: the nearest .writ above, else $WRIT_HOME)')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .configureHelp({
      showGlobalOptions: true,
      visibleGlobalOptions: (command) =>
        command === program ? [] : program.options.filter(({ long }) => long !== '--version'),
    })
    .configureOutput({
      writeOut: (text) => writeText(surroundings.stdout, text),
      writeErr: (text) => writeText(surroundings.stderr, text),
      getOutHelpWidth: () => surroundings.stdout.columns ?? 100,
      getErrHelpWidth: () => surroundings.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      // Usage errors are told below, like every other error.
      outputError: () => undefined,
    })
    .addHelpText('after', START)
    .exitOverride();

  // Only where no command is named: of a command's options a value may start with -V, as the id of a token may.
  if (!argv.some((word) => Object.hasOwn(COMMANDS, word))) {
    program.version(version(), '-V, --version', 'print the version');
  }

  const act: Act =
    <A extends unknown[]>(action: Action<A>) =>
    async (...args: [...A, Command]) => {
      const session = new Session(surroundings, program.opts<GlobalOptions>());
      // Commander adds its own command object as the last argument.
      exitCode = (await action(session, ...(args.slice(0, -1) as unknown as A))) ?? 0;
    };
  const line = argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;
  const commands = Object.fromEntries(
    Object.entries(COMMANDS).map(([name, entry]) => [name, chosenOf(name, entry, line)]),
  );
  for (const [name, entry] of Object.entries(commands)) addEntry(program, name, entry);
  let called: string | undefined;
  program.hook('preSubcommand', (_program, command) => {
    called = command.name();
  });
  loadOnDemand(program, commands, act);

  try {
    await program.parseAsync([...line], { from: 'user' });
    return exitCode;
  } catch (error) {
    const output = new Output(surroundings, {
      json: line.includes('--json'),
      keepsStdout: called === 'mcp' || called === 'exec',
    });
    return conclude(error, output);
  }
}

/**
 * A command that is also the first word of others is one or the other: the others where the word right after it names one
 * of them, and itself otherwise, so that it can be given any command line of its own.
 */
function chosenOf(
  name: string,
  entry: CommandEntry | CommandGroup,
  line: readonly string[],
): CommandEntry | CommandGroup {
  if (!('load' in entry) || entry.commands === undefined) return entry;
  const next = line[line.indexOf(name) + 1];
  const { summary, commands } = entry;
  return next !== undefined && Object.hasOwn(commands, next) ? { summary, commands } : entry;
}

function addEntry(parent: Command, name: string, entry: CommandEntry | CommandGroup): void {
  const command = parent
    .command(name)
    .summary(entry.summary)
    .description(capitalise(entry.summary))
    .helpCommand(false);
  if ('load' in entry) return;
  for (const [child, childEntry] of Object.entries(entry.commands)) addEntry(command, child, childEntry);
}

/** A command's own file defines it just before it is parsed. */
function loadOnDemand(
  parent: Command,
  entries: Readonly<Record<string, CommandEntry | CommandGroup>>,
  act: Act,
): void {
  parent.hook('preSubcommand', async (_parent, command) => {
    const entry = entries[command.name()];
    if (entry === undefined) return;
    if ('load' in entry) {
      (await entry.load()).define(command, act);
      command.description(withoutLineBreaks(command.description()));
    } else loadOnDemand(command, entry.commands, act);
  });
}

function conclude(error: unknown, output: Output): ExitCode {
  if (error instanceof CliError) {
    output.problem(error.problem);
    return error.exitCode;
  }
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // Help was shown because nothing was asked for.
    if (error.code !== 'commander.help' || output.json) output.problem(usageProblem(error));
    return 2;
  }
  output.problem({
    code: 'internal.unexpected',
    message: error instanceof Error ? error.message : 'something unforeseen happened',
    hint: 'run "writ doctor"; if it finds nothing, please report this',
  });
  return 1;
}

function usageProblem(error: CommanderError): CliProblem {
  if (error.code === 'commander.help') {
    return { code: 'usage', message: 'no command given', hint: 'see "writ --help"' };
  }
  const [message = '', ...suggestion] = error.message.replace(/^error: /, '').split('\n');
  const hint = suggestion.join(' ').replace(/^\((.*)\)$/, '$1');
  return { code: 'usage', message, hint: hint === '' ? 'add --help to see how it is used' : hint };
}

/** Lines are broken where the terminal ends; an empty line stays. */
function withoutLineBreaks(text: string): string {
  return text.replace(/(?<!\n)\n(?!\n)/g, ' ');
}

function capitalise(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
