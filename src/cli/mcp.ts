import { delimiter, join, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { readToken, verifyChain } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import {
  createPresenter,
  type DenialStyle,
  type GatewayExit,
  isServerName,
  runMcpGateway,
  UpstreamProcess,
} from '../enforce/mcp/index.ts';
import {
  type ConnectedGovernor,
  chooseGovernor,
  type DaemonUse,
  type GovernanceView,
  type GovernorOptions,
  type Home,
  isLocalName,
  openGovernanceFollower,
  systemClock,
} from '../governor/index.ts';
import { readKeyFile, type SigningKey } from '../key/index.ts';
import { findHolderKey, localAgents } from './agents.ts';
import { artifactPath, mustReadArtifact } from './artifact-file.ts';
import { CliError, denied, type ExitCode, failure, usageError } from './cli-error.ts';
import { shellLine } from './client-config.ts';
import { type Define, examples } from './command.ts';
import { type ConfineOptions, confineUpstream, refuseUnconfined } from './confined-upstream.ts';
import { parseDuration } from './duration.ts';
import { addExecOptions } from './exec-options.ts';
import { refuseExposedHome } from './exposed-home.ts';
import { measure } from './measure.ts';
import { measureRuntime } from './measured-surroundings.ts';
import { withoutSecretWords } from './secret-words.ts';
import { readServer, type StoredServer } from './server-file.ts';
import type { Session } from './session.ts';
import { tracesOf } from './traces.ts';
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

const DENIAL_STYLES: Readonly<Record<string, DenialStyle>> = { error: 'error', 'tool-result': 'tool-result' };
const DAEMON_USES = ['auto', 'running', 'never'] as const;
export const DAEMON_OPTION = [
  '--daemon <use>',
  'who decides: auto, the governor of this machine, started where none runs; running, one that runs; never, this process',
  'auto',
] as const;
export const DAEMON_HELP = `
Which --daemon:
  auto     one governor for all gateways of the trust domain, as an agent for keys: started by the first, ends 15 minutes
           after the last. Counters and approvals are shared. Where it cannot be started, nothing is permitted.
  running  where a service manager runs "writ up", and nothing else should: without it, nothing is permitted.
  never    one gateway by itself, or no process may be left in the background (containers, tests): it keeps its own log.
`;
const DEFAULT_AGENT = 'agent';

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
      .option(
        '--confine',
        'run the server itself in the sandbox of "writ exec": it was adopted, and what its artifact grants is all it sees',
      ),
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
    .option(
      '--console-url <url>',
      'where people approve: clients that can show a URL are sent there (default: what the daemon is configured with)',
    )
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
  if (options.consoleUrl !== undefined && !isWebUrl(options.consoleUrl)) {
    throw usageError(`--console-url "${options.consoleUrl}" is no http or https URL`);
  }
  const home = await openHomeFor(session, name, command);
  const upstream = upstreamOf(home, surroundings.cwd, command, options);
  const confined =
    options.confine === true ? confineUpstream(home, surroundings, upstream, options) : undefined;
  if (confined === undefined) {
    refuseUnconfined(options);
    refuseExposedHome(home.folder, upstream);
  }
  const { chain, key } = holderOf(home, surroundings.cwd, options, [upstream.command, ...upstream.args]);
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
      warnOfArtifact(session, currentAnchors(home), chain, name);
      const presenter = createPresenter({ chain, signer: key, audience: opened.audience });
      if (isDenial(presenter)) throw denied(presenter, 'see it with "writ artifact inspect"');
      const consoleUrl = options.consoleUrl ?? opened.approvalsUrl;
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

/** What is asked of every command that runs the gateway. */
export interface GatewayChoice {
  readonly name: string;
  readonly agent?: string;
  readonly artifact?: string;
  readonly cwd?: string;
}

export function serverNameOf(name: string): string {
  if (!isServerName(name)) {
    throw usageError(`--name "${name}" is no server name`, 'use letters, digits and . _ -');
  }
  return name;
}

export function denialStyleOf(text: string): DenialStyle {
  const style = DENIAL_STYLES[text];
  if (style === undefined) throw usageError(`--denials "${text}" is neither error nor tool-result`);
  return style;
}

export function daemonUseOf(text: string): DaemonUse {
  const use = DAEMON_USES.find((one) => one === text);
  if (use === undefined) throw usageError(`--daemon "${text}" is none of ${DAEMON_USES.join(', ')}`);
  return use;
}

export async function openHomeFor(session: Session, name: string, command: readonly string[]): Promise<Home> {
  try {
    return await session.openHome();
  } catch (error) {
    if (!(error instanceof CliError) || error.problem.code !== 'home.missing') throw error;
    throw failure(
      error.problem.code,
      error.problem.message,
      `in your project, run: writ init --server ${name} -- ${shellLine(command.length === 0 ? ['COMMAND'] : withoutSecretWords(command))}`,
    );
  }
}

export function upstreamOf(
  home: Home,
  cwd: string,
  [command, ...args]: readonly string[],
  options: Pick<GatewayChoice, 'name' | 'cwd'>,
): StoredServer {
  const folder = options.cwd === undefined ? undefined : resolve(cwd, options.cwd);
  if (command !== undefined) return { command, args, cwd: folder ?? cwd };
  const stored = readServer(home, options.name);
  if (stored !== undefined) return { ...stored, ...(folder === undefined ? {} : { cwd: folder }) };
  throw usageError(
    `how is the server ${options.name} started?`,
    `add its command after --: writ mcp --name ${options.name} -- COMMAND`,
  );
}

/** The artifact to present and the key it is bound to. */
export function holderOf(
  home: Home,
  cwd: string,
  { agent, artifact, name }: GatewayChoice,
  command: readonly string[],
): { readonly chain: readonly string[]; readonly key: SigningKey } {
  const path = artifactPath(home, cwd, artifact ?? `${agent ?? defaultAgent(home)}-${name}`);
  const chain = mustReadArtifact(
    path,
    artifact === undefined
      ? `run: writ init --server ${name} -- ${shellLine(withoutSecretWords(command))}`
      : undefined,
  );
  if (agent !== undefined) {
    const key = readKeyFile(home.agentKeyFile(agent));
    if (isDenial(key)) throw denied(key, `enroll the agent with "writ agent enroll ${agent} --new"`);
    return { chain, key };
  }
  const holder = holderThumbprint(chain);
  const found = holder === undefined ? undefined : findHolderKey(home, holder);
  if (found === undefined) {
    throw failure(
      'not_found',
      `no agent of ${home.domain} holds the key of ${path}`,
      'name one with --agent NAME',
    );
  }
  return { chain, key: found.key };
}

function defaultAgent(home: Home): string {
  const agents = localAgents(home);
  const [only] = agents;
  return agents.length === 1 && only !== undefined ? only : DEFAULT_AGENT;
}

function holderThumbprint(chain: readonly string[]): string | undefined {
  const leaf = readToken(chain.at(-1) ?? '');
  return isDenial(leaf) ? undefined : leaf.holder.thumbprint;
}

/** The governor that decides for a gateway, or the end of the command. */
export async function openGovernorFor(
  session: Session,
  use: DaemonUse,
  options: GovernorOptions,
): Promise<ConnectedGovernor> {
  // What a daemon decides, it traces itself.
  const traces = use === 'never' ? await tracesOf(session, options.home, `writ/${options.name}`) : undefined;
  const opened = await chooseGovernor(use, { ...options, ...(traces && { tracer: traces.tracer }) });
  if (!isDenial(opened)) {
    const close = async () => {
      await opened.close();
      await traces?.close();
    };
    return { ...opened, close };
  }
  await traces?.close();
  throw denied(
    opened,
    use === 'never'
      ? 'see what is wrong with "writ doctor"'
      : 'see "writ up status" and "writ doctor"; --daemon never decides without one',
  );
}

/** Trust anchors as they now stand; undefined where the governance log cannot be read. */
export function currentAnchors(home: Home): TrustAnchors | undefined {
  const follower = openGovernanceFollower(home, systemClock, { policy: false });
  if (isDenial(follower)) return undefined;
  const { anchors } = follower.view.state;
  follower.close();
  return anchors;
}

type TrustAnchors = GovernanceView['state']['anchors'];

/** Said once, at the start: an artifact that is denied will be denied at every call. */
export function warnOfArtifact(
  { output, nowSeconds }: Session,
  anchors: TrustAnchors | undefined,
  chain: readonly string[],
  name: string,
): void {
  if (anchors === undefined) return;
  const verified = verifyChain(chain, { anchors, nowSeconds });
  if (isDenial(verified)) output.note(`writ mcp ${name}: the artifact will be denied: ${verified.detail}`);
}

function exitCodeOf({ reason, upstream }: GatewayExit, program: string): ExitCode {
  if (upstream.failedToStart) {
    throw failure('upstream.failed', `${program} cannot be started`, 'run it by itself to see what is wrong');
  }
  if (reason === 'upstream_failed') return 1;
  return reason === 'upstream_exited' && upstream.code !== 0 ? 1 : 0;
}

function isWebUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '';
}
