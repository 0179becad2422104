import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { verifyChain } from '../artifact/index.ts';
import { deny, isDenial } from '../denial/index.ts';
import {
  createDiagnose,
  governedUpstream,
  McpEndpoint,
  multiplexer,
  type OpenChannel,
  type Presenter,
} from '../enforce/mcp/index.ts';
import {
  type GovernanceFollower,
  type Home,
  openGovernanceFollower,
  systemClock,
} from '../governor/index.ts';
import { denied, failure, usageError } from './cli-error.ts';
import { collect, type Define, examples } from './command.ts';
import { type ConfineOptions, refuseUnconfined } from './confined-upstream.ts';
import { endpointHosts, lowerCase, publicUrlOf } from './endpoint-address.ts';
import { addExecOptions } from './exec-options.ts';
import {
  CONFINE_OPTION,
  CONSOLE_URL_OPTION,
  consoleUrlOf,
  DAEMON_HELP,
  DAEMON_OPTION,
  daemonUseOf,
  denialStyleOf,
  type GatewayChoice,
  holderOf,
  openGovernorFor,
  openHomeFor,
  presenterOf,
  serverNameOf,
  upstreamOf,
} from './gateway-choice.ts';
import { ListedTools } from './listed-tools.ts';
import { isLoopback, parseListen, urlOf } from './listen-address.ts';
import {
  measureUpstreams,
  readUpstreams,
  stdioUpstream,
  UPSTREAM_HELP,
  UPSTREAM_TOKEN_HELP,
  type Upstream,
} from './mcp-upstreams.ts';
import { measureRuntime } from './measured-surroundings.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';
import { readTokenFile } from './token-file.ts';
import { withSignals } from './with-signals.ts';

interface Options extends GatewayChoice, ConfineOptions {
  readonly name: string;
  readonly agent?: string;
  readonly denials: string;
  readonly daemon: string;
  readonly listen: string;
  readonly path: string;
  readonly tokenFile?: string;
  readonly publicUrl?: string;
  readonly allowOrigin?: readonly string[];
  readonly authorizationServer?: readonly string[];
  readonly upstream?: readonly string[];
  readonly upstreamToken?: readonly string[];
  readonly requirePresentation?: boolean;
  readonly consoleUrl?: string;
}

const DEFAULT_LISTEN = '127.0.0.1:7390';
const DEFAULT_PATH = '/mcp';

export const define: Define = (command, act) => {
  const served = command
    .description(
      `Serve an MCP server over streamable HTTP, behind the gateway: 2026-07-28 (stateless) and 2025-11-25 and before
(sessions, each with a server process of its own) at one URL. What the artifact grants is forwarded, everything else is
denied, and every decision is durable before anything happens. Ends on SIGTERM.

Whoever reaches the URL acts as the agent: it listens on this machine only, unless --token-file says who may call.`,
    )
    .argument('[command...]', 'how the MCP server is started, after -- (default: as "writ init" saw it)')
    .requiredOption(
      '--name <name>',
      'name of the gateway, and of the server in tool ids where it is the only one',
    )
    .option('--upstream <id=target>', UPSTREAM_HELP, collect)
    .option('--upstream-token <id=source>', UPSTREAM_TOKEN_HELP, collect)
    .option('--listen <host:port>', 'where to listen; port 0 takes a free one', DEFAULT_LISTEN)
    .option('--path <path>', 'path of the endpoint', DEFAULT_PATH)
    .option('--token-file <file>', 'bearer tokens that may call, one a line; only you may read the file')
    .option('--public-url <url>', 'URL that clients use, where a proxy stands in front')
    .option(
      '--allow-origin <origin>',
      'a web origin whose pages may call; may be given several times',
      collect,
    )
    .option(
      '--authorization-server <issuer>',
      'told to clients without a token (RFC 9728); may be given several times',
      collect,
    )
    .option(
      '--require-presentation',
      'hold no key here: every call brings its artifact and proof, as "writ mcp connect" adds them',
    )
    .option('--agent <name>', 'the agent that calls (default: the holder of the artifact)')
    .option('--artifact <name|file>', 'what it presents (default: <agent>-<name>)')
    .option('--cwd <dir>', 'folder the server is started in')
    .option(...CONFINE_OPTION);
  addExecOptions(served, 'of a confined server: ')
    .option(
      '--denials <style>',
      'how denied calls are answered: error, or tool-result where a model can act',
      'error',
    )
    .option(...DAEMON_OPTION)
    .option(...CONSOLE_URL_OPTION)
    .addHelpText('after', DAEMON_HELP)
    .addHelpText(
      'after',
      examples(
        '$ writ mcp serve --name fs',
        '$ writ mcp serve --name fs --listen 127.0.0.1:7390 -- npx -y @modelcontextprotocol/server-filesystem /work',
        '$ writ mcp serve --name fs --confine -- fs-server /work',
        '$ writ mcp serve --name tools --artifact agent-tools --upstream fs=stdio --upstream docs=https://docs.example/mcp',
        '$ claude mcp add --transport http fs http://127.0.0.1:7390/mcp',
      ),
    )
    .action(act(serve));
};

async function serve(session: Session, command: readonly string[], options: Options): Promise<void> {
  setFlagsFromString('--semi-space-growth-factor=1');
  const { surroundings, output } = session;
  const name = serverNameOf(options.name);
  const denialStyle = denialStyleOf(options.denials);
  const use = daemonUseOf(options.daemon);
  const address = parseListen(options.listen, DEFAULT_LISTEN);
  const tokens = options.tokenFile === undefined ? [] : readTokenFile(surroundings.cwd, options.tokenFile);
  if (tokens.length === 0 && !isLoopback(address.host)) {
    throw usageError(
      `--listen ${options.listen} is reached from other machines, and nothing says who may call`,
      'give --token-file FILE, or listen on 127.0.0.1',
    );
  }
  const publicUrl = publicUrlOf(options);
  const consoleAsked = consoleUrlOf(options.consoleUrl);
  const home = await openHomeFor(session, name, command);
  const upstreams = upstreamsOf(session, home, command, options);
  const { requirePresentation = false } = options;
  const held = requirePresentation ? undefined : holderOf(home, surroundings.cwd, options, command);
  const environment = measureRuntime(
    session,
    home,
    {
      folder: surroundings.cwd,
      words: upstreams.flatMap(({ command: own }) => (own ? [own.command, ...own.args] : [])),
    },
    (onRead) => measureUpstreams(home, surroundings, upstreams, onRead),
  );
  const opened = await openGovernorFor(session, use, { home, name, components: environment.components });
  let follower: GovernanceFollower | undefined;
  try {
    environment.follow(opened);
    const presenter =
      held === undefined ? ABSENT : presenterOf(session, held, { home, name, audience: opened.audience });
    follower = requirePresentation ? mustFollow(home) : undefined;
    const stands = (chain: readonly string[]): boolean =>
      follower !== undefined && standsNow(follower, chain, session.nowSeconds);
    const diagnose = createDiagnose(surroundings.stderr, name);
    const consoleUrl = consoleAsked ?? opened.approvalsUrl;
    const listed = new ListedTools(upstreams.length, (tools) => opened.setTools(tools));
    const governed = upstreams.map(({ id, open: openLink }): [string, OpenChannel] => [
      id,
      governedUpstream({
        name: id,
        openLink,
        governor: opened.governor,
        presenter,
        pinnedDigest: (tool) => opened.pinnedDigest(tool),
        onDefinitions: (tools) => listed.list(id, tools),
        ...(consoleUrl === undefined ? {} : { consoleUrl }),
        diagnose,
        limits: { denialStyle },
      }),
    ]);
    const [[, only] = []] = governed;
    const open = governed.length === 1 && only !== undefined ? only : multiplexer(new Map(governed));
    await withSignals(async (signal) => {
      const hosts = new Set<string>();
      const endpoint = new McpEndpoint({
        access: { hosts, origins: new Set((options.allowOrigin ?? []).map(lowerCase)), tokens },
        path: options.path,
        resource: () => ({
          resource: publicUrl ?? `${urlOf(server.address() as AddressInfo)}${options.path}`,
          name,
          ...(options.authorizationServer && { authorizationServers: options.authorizationServer }),
          ...(requirePresentation && { more: { writ: { name, upstreams: upstreams.map(({ id }) => id) } } }),
        }),
        ...(requirePresentation && { presentations: { stands } }),
        open,
        diagnose,
      });
      const server: Server = endpoint.server;
      await new Promise<void>((listening, failed) => {
        server.once('error', failed);
        server.listen(address.port, address.host, listening);
      }).catch((error: NodeJS.ErrnoException) => {
        throw failure('listen.failed', `${options.listen} cannot be listened on: ${error.code}`);
      });
      const bound = server.address() as AddressInfo;
      for (const host of endpointHosts(address.host, bound, publicUrl)) hosts.add(host);
      const url = publicUrl ?? `${urlOf(bound)}${options.path}`;
      output.answer({ event: 'listening', url, name, tokens: tokens.length }, () => {
        output.line(
          good('listening '),
          url,
          faint(`  in front of ${upstreams.map(({ id }) => id).join(', ')}`),
        );
        if (tokens.length === 0 && !requirePresentation)
          output.line(faint('anyone on this machine may call as the agent'));
      });
      await new Promise<void>((ended) => {
        if (signal.aborted) ended();
        else signal.addEventListener('abort', () => ended(), { once: true });
      });
      await endpoint.close();
    });
  } finally {
    follower?.close();
    environment.stop();
    await opened.close();
  }
}

/** What artifacts are shown to list by is verified against the anchors that stand now; decisions are made elsewhere. */
function mustFollow(home: Home): GovernanceFollower {
  const follower = openGovernanceFollower(home, systemClock, { policy: false });
  if (isDenial(follower)) throw denied(follower, 'see what is wrong with "writ doctor"');
  return follower;
}

function standsNow(follower: GovernanceFollower, chain: readonly string[], nowSeconds: number): boolean {
  const { anchors } = follower.refresh().state;
  return !isDenial(verifyChain(chain, { anchors, nowSeconds }));
}

/** Where calls bring their own presentations: what brings none has none. */
const ABSENT: Presenter = {
  grants: () => false,
  present: () => deny('artifact.missing', 'nothing was presented for this'),
};

function upstreamsOf(
  { surroundings }: Session,
  home: Home,
  command: readonly string[],
  options: Options,
): readonly Upstream[] {
  const { upstream, upstreamToken } = options;
  const confine = options.confine === true ? options : undefined;
  if (confine === undefined) refuseUnconfined(options);
  if (upstream === undefined) {
    if (upstreamToken !== undefined)
      throw usageError('--upstream-token is for upstreams given by --upstream');
    const own = upstreamOf(home, surroundings.cwd, command, options);
    return [stdioUpstream(options.name, own, home, surroundings, confine)];
  }
  if (command.length > 0) throw usageError('a command and --upstream exclude each other');
  const read = { upstream, ...(upstreamToken && { upstreamToken }) };
  const upstreams = readUpstreams(home, surroundings, read, confine);
  if (confine !== undefined && upstreams.every(({ command: own }) => own === undefined)) {
    throw usageError(
      '--confine, and no server is a process of ours',
      'servers at a URL are confined where they run',
    );
  }
  return upstreams;
}
