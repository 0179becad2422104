import { delimiter, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { type GatewayExit, runMcpGateway, UpstreamProcess } from '../enforce/mcp/index.ts';
import { isLocalName } from '../governor/index.ts';
import { type ExitCode, failure, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { type ConfineOptions, confineUpstream, refuseUnconfined } from './confined-upstream.ts';
import { parseDuration } from './duration.ts';
import { addExecOptions } from './exec-options.ts';
import { refuseExposedHome } from './exposed-home.ts';
import {
  CONFINE_OPTION,
  CONSOLE_URL_OPTION,
  consoleUrlOf,
  DAEMON_HELP,
  DAEMON_OPTION,
  daemonUseOf,
  denialStyleOf,
  holderOf,
  openGovernorFor,
  openHomeFor,
  presenterOf,
  serverNameOf,
  upstreamOf,
} from './gateway-choice.ts';
import { measure } from './measure.ts';
import { measureRuntime } from './measured-surroundings.ts';
import type { Session } from './session.ts';
import { withSignals } from './with-signals.ts';

interface Options extends ConfineOptions {
  readonly name: string;
  readonly agent?: string;
  readonly artifact?: string;
  readonly cwd?: string;
  readonly denials: string;
  readonly daemon: string;
  readonly killGrace: string;
  readonly consoleUrl?: string;
}

export const define: Define = (command, act) => {
  addExecOptions(
    command
      .description(
        `Run an MCP server behind the gateway, on stdin and stdout: what the artifact grants is forwarded byte for byte,
everything else is denied, and every decision is durable before anything happens. For client configuration;
"writ init --server NAME -- COMMAND" prints the line to put there.`,
      )
      .argument('[command...]', 'how the MCP server is started, after -- (default: as "writ init" saw it)')
      .requiredOption('--name <name>', 'name of the server, as tool ids have it')
      .option('--agent <name>', 'the agent that calls (default: the holder of the artifact)')
      .option('--artifact <name|file>', 'what it presents (default: <agent>-<name>)')
      .option('--cwd <dir>', 'folder the server is started in')
      .option(...CONFINE_OPTION),
    'of a confined server: ',
  )
    .option(
      '--denials <style>',
      'how denied calls are answered: error, or tool-result where a model can act',
      'error',
    )
    .option(...DAEMON_OPTION)
    .option(
      '--kill-grace <duration|never>',
      'a call whose authority ends is cancelled; a server that has not answered it by then is killed',
      '5s',
    )
    .option(...CONSOLE_URL_OPTION)
    .addHelpText(
      'after',
      `${DAEMON_HELP}
Others that start with it:
  writ mcp serve    the gateway over HTTP, in front of one or several servers
  writ mcp connect  present calls to such a gateway, from stdio
  writ mcp changes  how a server's tools differ from what is pinned, and approve it
${examples(
  '$ writ mcp --name fs -- npx -y @modelcontextprotocol/server-filesystem /work',
  '$ writ mcp --name fs --confine -- fs-server /work',
)}`,
    )
    .action(act(mcp));
};

async function mcp(session: Session, command: readonly string[], options: Options): Promise<ExitCode> {
  // A gateway runs for days beside others like it: keep V8's young generation at its first size, which halves resident
  // memory and costs a few percent of the rate.
  setFlagsFromString('--semi-space-growth-factor=1');
  const { surroundings } = session;
  const name = serverNameOf(options.name);
  if (options.agent !== undefined && !isLocalName(options.agent)) {
    throw usageError(`--agent "${options.agent}" is no name: letters, digits and . _ ~ - only`);
  }
  const denialStyle = denialStyleOf(options.denials);
  const use = daemonUseOf(options.daemon);
  const killGraceMs =
    options.killGrace === 'never'
      ? Number.POSITIVE_INFINITY
      : parseDuration(options.killGrace, '--kill-grace') * 1000;
  const consoleAsked = consoleUrlOf(options.consoleUrl);
  const home = await openHomeFor(session, name, command);
  const upstream = upstreamOf(home, surroundings.cwd, command, options);
  const confined =
    options.confine === true ? confineUpstream(home, surroundings, upstream, options) : undefined;
  if (confined === undefined) {
    refuseUnconfined(options);
    refuseExposedHome(home.folder, upstream);
  }
  const held = holderOf(home, surroundings.cwd, options, [upstream.command, ...upstream.args]);
  // What the upstream's program is, is read while everything else is.
  const searchPath = surroundings.path.join(delimiter);
  const digests = join(home.folder, 'cache', 'digests.json');
  const { cwd: folder } = upstream;
  const environment = measureRuntime(
    session,
    home,
    { folder, words: [upstream.command, ...upstream.args] },
    async (onRead) => [
      ...(await measure({ ...(confined?.measured ?? upstream), searchPath }, digests, onRead)),
      ...(confined === undefined ? [] : await confined.measureConfinement()),
    ],
  );
  // The server starts while the governor opens: nothing reaches it before both are there.
  const server = new UpstreamProcess({ ...(confined?.command ?? upstream), env: surroundings.environment });
  try {
    const opened = await openGovernorFor(session, use, { home, name, components: environment.components });
    environment.follow(opened);
    try {
      const presenter = presenterOf(session, held, { home, name, audience: opened.audience });
      const consoleUrl = consoleAsked ?? opened.approvalsUrl;
      // Signals end the gateway in order: calls are concluded, the log is published.
      const exit = await withSignals((signal) =>
        runMcpGateway({
          name,
          upstream: server,
          client: { input: surroundings.stdin, output: surroundings.stdout },
          governor: opened.governor,
          presenter,
          pinnedDigest: (tool) => opened.pinnedDigest(tool),
          onDefinitions: (tools) => opened.setTools(tools),
          stderr: surroundings.stderr,
          limits: { denialStyle, killGraceMs },
          ...(consoleUrl === undefined ? {} : { consoleUrl }),
          signal,
        }),
      );
      return exitCodeOf(exit, upstream.command);
    } finally {
      await opened.close();
    }
  } catch (error) {
    server.kill('SIGKILL');
    throw error;
  } finally {
    environment.stop();
    surroundings.stdin.destroy();
  }
}

function exitCodeOf({ reason, upstream }: GatewayExit, program: string): ExitCode {
  if (upstream.failedToStart) {
    throw failure('upstream.failed', `${program} cannot be started`, 'run it by itself to see what is wrong');
  }
  if (reason === 'upstream_failed') return 1;
  return reason === 'upstream_exited' && upstream.code !== 0 ? 1 : 0;
}
