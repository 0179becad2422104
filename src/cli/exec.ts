import { closeSync } from 'node:fs';
import { createPresenter, type Presenter, readToken } from '../artifact/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { execPointName, execTool, findConfiner, runExec } from '../enforce/exec/index.ts';
import {
  type ConnectedGovernor,
  type ConnectOptions,
  connectGovernor,
  type Home,
  type MeasuredEnvironment,
  openGovernor,
} from '../governor/index.ts';
import { defaultAgent, findHolderKey } from './agents.ts';
import { artifactPath, readArtifactFile } from './artifact-file.ts';
import { CliError, denied, type ExitCode, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { parseDuration } from './duration.ts';
import { askOf } from './exec-ask.ts';
import { conclude } from './exec-conclusion.ts';
import { explainExec } from './exec-explain.ts';
import { type ExecMeasuring, measuringOf } from './exec-measure.ts';
import { addExecOptions, type ExecOptions } from './exec-options.ts';
import { findProgram } from './exec-program.ts';
import { passSignals } from './exec-signals.ts';
import { asksForStdin, bindStdin } from './exec-stdin.ts';
import { execStreams } from './exec-streams.ts';
import { measureRuntime } from './measured-surroundings.ts';
import type { Session } from './session.ts';

interface Options extends ExecOptions {
  readonly artifact?: string;
  readonly agent?: string;
  readonly cwd?: string;
  readonly parent?: string;
  readonly daemon: string;
  readonly explain?: boolean;
  readonly grace: string;
  readonly record?: boolean;
  readonly out?: string;
}

/** As other programs that run programs have it (env, nohup, docker run). */
const FAILED = 125;
const DAEMON_USES = ['running', 'never'];

export const define: Define = (command, act) => {
  addExecOptions(
    command
      .description(
        `Run a program confined, if and only if the artifact grants this very call: the program by its digest, its arguments,
what it may see, and how much it may use. It is held in its sandbox until the permit is durable, gets nothing that is not
granted (no files but the system's own, read-only; no variables; no network but the hosts of --net, through a proxy that
records them), and everything it started is killed when its
authority ends. Exit code: the program's own; 126 denied, 125 could not be run, 127 not found.`,
      )
      .argument('<command...>', 'the program by the name it was adopted under, and its arguments, after --'),
  )
    .option('--cwd <dir>', 'folder it is run in (default: here, where it sees that, else /)')
    .option('--artifact <name|file>', 'what is presented (default: <agent>-exec-<name>)')
    .option('--agent <name>', 'the agent that calls (default: the only one there is, else "agent")')
    .option('--parent <execution>', 'the execution this one follows from')
    .option(
      '--daemon <use>',
      'running: decide in "writ up" where it runs; never: decide in this process',
      'running',
    )
    .option(
      '--grace <duration>',
      'after SIGTERM, how long it may take to end before all of it is killed',
      '10s',
    )
    .option(
      '--record',
      'run it once on copies, in a trust domain that is gone afterwards, and propose the narrowest artifact for what it did',
    )
    .option('-o, --out <file>', 'with --record: write the proposal there as JSON')
    .option(
      '--explain',
      'show what would be asked for, what the artifact grants, and what holds; run nothing',
    )
    .addHelpText(
      'after',
      `
Others that start with it:
  writ exec adopt   pin a program, and grant it to an agent
  writ exec shell   run a line of shell, every command of it confined
${examples('$ writ exec adopt echo --effects read --any-arguments -- /bin/echo', '$ writ exec -- echo hi', '$ writ exec --record --read src --write out -- ./build.sh', '  runs it on copies, proposes what to grant, and changes nothing')}`,
    )
    .action(
      act(async (session, line: readonly string[], options: Options): Promise<ExitCode> => {
        try {
          return await exec(session, line, options);
        } catch (error) {
          // What the program itself may answer must not be mistaken for what is wrong here.
          if (!(error instanceof CliError)) throw error;
          throw new CliError({ exitCode: FAILED, ...error.problem });
        }
      }),
    );
};

async function exec(session: Session, line: readonly string[], options: Options): Promise<ExitCode> {
  if (options.record === true) return (await import('./exec-record.ts')).recordExec(session, line, options);
  if (options.out !== undefined) {
    throw usageError('--out goes with --record', 'add --record, or redirect what the program says');
  }
  const { surroundings } = session;
  const [command = '', ...argv] = line;
  if (!DAEMON_USES.includes(options.daemon)) {
    throw usageError(`--daemon "${options.daemon}" is none of ${DAEMON_USES.join(', ')}`);
  }
  const graceSeconds = parseDuration(options.grace, '--grace');
  const streams = execStreams(surroundings);
  const home = await session.openHome();
  const found = findProgram(home, command, surroundings);
  if (isDenial(found)) throw denied(found);
  const { name, program, stored } = found;
  const confiner = findConfiner(stored.account === undefined ? {} : { account: stored.account });
  const tool = execTool(name, program, stored.effects);
  const point = execPointName(name);
  const file = artifactFileOf(home, surroundings.cwd, point, options);
  // Read once: what says that standard input is bound is what is presented.
  const chain = readArtifactFile(file);
  const isBound = asksForStdin(chain, tool.id);
  const input = isBound && options.explain !== true ? await bindStdin(surroundings) : undefined;
  const ask = askOf(session, { program, argv, stored, confiner, input }, options);
  if (options.explain === true) {
    return await explainExec(session, { home, ask, tool, confiner, chain, file });
  }
  const measuring = measuringOf(home, program, confiner);
  const place = { folder: surroundings.cwd, words: [] };
  const environment = measureRuntime(session, home, place, (onRead) => measuring.measure(onRead));
  // The sandbox is made meanwhile: nothing runs in it before the governor that is opened here has said so.
  const opening = openFor(options.daemon, { home, name: point }, environment, measuring).then((opened) => {
    if (isDenial(opened)) throw denied(opened, 'see what is wrong with "writ doctor"');
    environment.follow(opened);
    opened.setTools([{ id: tool.id, digest: tool.digest }]);
    return opened;
  });
  const presenter = opening.then(({ audience }) => presenterOf(home, chain, audience));
  // A call that is refused as it is presents nothing: where no governor could be opened, that is told below.
  presenter.catch(() => undefined);
  try {
    const abort = new AbortController();
    let relayed: Promise<void> | undefined;
    const passing = passSignals(abort, graceSeconds);
    const outcome = await runExec(
      {
        governor: { run: async (...call) => (await opening).governor.run(...call) },
        presenter,
        confiner,
        hidden: [home.folder],
        cwd: surroundings.cwd,
      },
      {
        tool,
        ask,
        streams:
          input === undefined ? streams.streams : [input.descriptor, streams.streams[1], streams.streams[2]],
        ...(options.parent === undefined ? {} : { parent: options.parent }),
        signal: abort.signal,
        onStart(running) {
          passing.to(running);
          relayed = streams.connect(running);
        },
      },
    ).finally(() => passing.end());
    await relayed;
    return conclude(outcome, { found, confiner });
  } finally {
    environment.stop();
    if (input !== undefined) closeSync(input.descriptor);
    await (await opening).close();
  }
}

/** The governor of the daemon, or one in this process. */
async function openFor(
  use: string,
  point: Pick<ConnectOptions, 'home' | 'name'>,
  { components }: MeasuredEnvironment,
  measuring: ExecMeasuring,
): Promise<
  Pick<ConnectedGovernor, 'governor' | 'audience' | 'setTools' | 'setComponents' | 'close'> | Denial
> {
  const options = { ...point, components };
  const connected =
    use === 'never'
      ? undefined
      : await connectGovernor({ ...options, measuredAtSeconds: components.then(() => measuring.atSeconds) });
  if (connected !== undefined) return connected;
  const opened = await openGovernor(options);
  if (isDenial(opened)) return opened;
  // Opening takes them for new.
  opened.setComponents(await components, measuring.atSeconds);
  return opened;
}

function artifactFileOf(home: Home, cwd: string, point: string, { artifact, agent }: Options): string {
  return artifactPath(home, cwd, artifact ?? `${agent ?? defaultAgent(home)}-${point}`);
}

/** Where there is nothing to present, that is why the call is denied, on record. */
function presenterOf(home: Home, chain: readonly string[] | Denial, audience: string): Presenter | Denial {
  if (isDenial(chain)) return deny('artifact.missing', 'the artifact cannot be read');
  const leaf = readToken(chain.at(-1) ?? '');
  if (isDenial(leaf)) return leaf;
  const holder = findHolderKey(home, leaf.holder.thumbprint);
  if (holder === undefined) return deny('identity.mismatch', 'no agent here holds the key of the artifact');
  return createPresenter({ chain, signer: holder.key, audience });
}
