import { resolve } from 'node:path';
import { readToken, verifyChain } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import { createPresenter, type DenialStyle, isServerName, type Presenter } from '../enforce/mcp/index.ts';
import {
  type ConnectedGovernor,
  chooseGovernor,
  type DaemonUse,
  type GovernanceView,
  type GovernorOptions,
  type Home,
  openGovernanceFollower,
  systemClock,
} from '../governor/index.ts';
import { readKeyFile, type SigningKey } from '../key/index.ts';
import { defaultAgent, findHolderKey } from './agents.ts';
import { artifactPath, mustReadArtifact } from './artifact-file.ts';
import { CliError, denied, failure, usageError } from './cli-error.ts';
import { shellLine } from './client-config.ts';
import { withoutSecretWords } from './secret-words.ts';
import { readServer, type StoredServer } from './server-file.ts';
import type { Session } from './session.ts';
import { tracesOf } from './traces.ts';

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
export const CONFINE_OPTION = [
  '--confine',
  'run the server itself in the sandbox of "writ exec": it was adopted, and what its artifact grants is all it sees',
] as const;
export const CONSOLE_URL_OPTION = [
  '--console-url <url>',
  'where people approve: clients that can show a URL are sent there (default: what the daemon is configured with)',
] as const;

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
interface Held {
  readonly chain: readonly string[];
  readonly key: SigningKey;
}

/** Read, or the end of the command. */
export function holderOf(
  home: Home,
  cwd: string,
  { agent, artifact, name }: GatewayChoice,
  command: readonly string[],
): Held {
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

/** Presents what the agent holds, to those that the governor speaks for. */
export function presenterOf(
  session: Session,
  { chain, key }: Held,
  { home, name, audience }: { readonly home: Home; readonly name: string; readonly audience: string },
): Presenter {
  warnOfArtifact(session, currentAnchors(home), chain, name);
  const presenter = createPresenter({ chain, signer: key, audience });
  if (isDenial(presenter)) throw denied(presenter, 'see it with "writ artifact inspect"');
  return presenter;
}

/** Trust anchors as they now stand; undefined where the governance log cannot be read. */
function currentAnchors(home: Home): TrustAnchors | undefined {
  const follower = openGovernanceFollower(home, systemClock, { policy: false });
  if (isDenial(follower)) return undefined;
  const { anchors } = follower.view.state;
  follower.close();
  return anchors;
}

type TrustAnchors = GovernanceView['state']['anchors'];

/** Said once, at the start: an artifact that is denied will be denied at every call. */
function warnOfArtifact(
  { output, nowSeconds }: Session,
  anchors: TrustAnchors | undefined,
  chain: readonly string[],
  name: string,
): void {
  if (anchors === undefined) return;
  const verified = verifyChain(chain, { anchors, nowSeconds });
  if (isDenial(verified)) output.note(`writ mcp ${name}: the artifact will be denied: ${verified.detail}`);
}

/** `--console-url`, which is what clients' users are told to open. */
export function consoleUrlOf(text: string | undefined): string | undefined {
  if (text !== undefined && !isWebUrl(text))
    throw usageError(`--console-url "${text}" is no http or https URL`);
  return text;
}

function isWebUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '';
}
