import { resolve } from 'node:path';
import { readToken } from '../artifact/index.ts';
import { isJsonObject, parseJsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { createDiagnose, createPresenter, HTTP_SESSION_LIMITS, runConnector } from '../enforce/mcp/index.ts';
import { readKeyFile, type SigningKey } from '../key/index.ts';
import { mustReadArtifact } from './artifact-file.ts';
import { denied, type ExitCode, failure, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { holderOf, serverNameOf } from './gateway-choice.ts';
import { openHttp, upstreamUrl } from './mcp-upstreams.ts';
import type { Session } from './session.ts';
import { readTokenFile } from './token-file.ts';
import { withSignals } from './with-signals.ts';
import { addWorkloadOptions, shownWorkload, showOrTell, type WorkloadOptions } from './workload-options.ts';

interface Options extends WorkloadOptions {
  readonly name?: string;
  readonly agent?: string;
  readonly artifact?: string;
  readonly key?: string;
  readonly audience?: string;
  readonly tokenFile?: string;
}

const MAX_METADATA_BYTES = 64 * 1024;
const METADATA_TIMEOUT_MS = 10_000;

export const define: Define = (command, act) => {
  addWorkloadOptions(command)
    .description(
      `Stand beside an agent, on stdin and stdout, and present its calls to a gateway that runs
"writ mcp serve --require-presentation": each call gets the artifact and a proof for exactly that call. The holder key
stays here; the gateway decides.`,
    )
    .argument('<url>', 'the gateway, such as https://tools.example/mcp')
    .option('--name <name>', 'name of the server in tool ids (default: the gateway says what it serves)')
    .option('--artifact <name|file>', 'what is presented (default: <agent>-<name>)')
    .option('--agent <name>', 'the agent that calls (default: the holder of the artifact)')
    .option(
      '--key <file>',
      "the holder's key, where there is no trust domain here; then --artifact is a file",
    )
    .option('--audience <uri>', 'gateway that proofs are for (default: the only one the artifact is for)')
    .option('--token-file <file>', 'bearer token for the gateway; only you may read the file')
    .addHelpText(
      'after',
      examples(
        '$ writ mcp connect http://127.0.0.1:7390/mcp --agent agent',
        '$ writ mcp connect https://tools.example/mcp --artifact agent.json --key agent.jwk --token-file token',
        '$ writ mcp connect https://tools.example/mcp --agent web --workload-api unix:///run/spire/agent.sock',
      ),
    )
    .action(act(connect));
};

async function connect(session: Session, address: string, options: Options): Promise<ExitCode> {
  const { surroundings } = session;
  const url = upstreamUrl(address);
  const [token] = options.tokenFile === undefined ? [] : readTokenFile(surroundings.cwd, options.tokenFile);
  const gateway = await readGateway(url);
  const name = options.name === undefined ? gateway.name : serverNameOf(options.name);
  const { chain, key } = await holder(session, name, options);
  const audience = options.audience ?? onlyAudience(chain);
  const diagnose = createDiagnose(surroundings.stderr, name);
  const workload = await shownWorkload(session, chain, options);
  const presenter = createPresenter({
    ...{ chain, signer: key, audience },
    // What the artifact asks for and is not shown, the gateway denies and records.
    ...(workload && { workload: showOrTell(workload, audience, diagnose) }),
  });
  if (isDenial(presenter)) {
    workload?.close();
    throw denied(presenter, 'see it with "writ artifact inspect"');
  }
  const reason = await withSignals((signal) =>
    runConnector({
      client: { input: surroundings.stdin, output: surroundings.stdout },
      open: openHttp(url, token),
      presenter,
      chain,
      server: options.name ?? (gateway.upstreams.length === 1 ? gateway.upstreams[0] : undefined),
      diagnose,
      maxMessageBytes: HTTP_SESSION_LIMITS.maxClientMessageBytes,
      signal,
    }),
  ).finally(() => workload?.close());
  surroundings.stdin.destroy();
  return reason === 'gateway_gone' ? 1 : 0;
}

interface Gateway {
  readonly name: string;
  readonly upstreams: readonly string[];
}

/** What the gateway says it serves (RFC 9728 metadata). It chooses names only: whom proofs are for, the artifact says. */
async function readGateway(url: URL): Promise<Gateway> {
  const path = `/.well-known/oauth-protected-resource${url.pathname === '/' ? '' : url.pathname}`;
  let text: string;
  try {
    const signal = AbortSignal.timeout(METADATA_TIMEOUT_MS);
    const response = await fetch(new URL(path, url), { redirect: 'manual', signal });
    text = await response.text();
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : 'no answer';
    throw failure('gateway.unreachable', `${url.origin} cannot be reached: ${cause}`, 'is it running?');
  }
  const metadata = parseJsonObject(text, 'request.malformed', { maxBytes: MAX_METADATA_BYTES });
  const served = isDenial(metadata) ? undefined : metadata.writ;
  if (!isJsonObject(served) || typeof served.name !== 'string' || !Array.isArray(served.upstreams)) {
    throw failure(
      'gateway.unknown',
      `${url.href} is no gateway that asks for presentations`,
      'start it with: writ mcp serve --require-presentation',
    );
  }
  const upstreams = served.upstreams.filter((upstream) => typeof upstream === 'string');
  return { name: serverNameOf(served.name), upstreams };
}

async function holder(
  session: Session,
  name: string,
  options: Options,
): Promise<{ readonly chain: readonly string[]; readonly key: SigningKey }> {
  const { cwd } = session.surroundings;
  if (options.key === undefined) {
    const home = await session.openHome();
    const { agent, artifact } = options;
    return holderOf(home, cwd, { name, ...(agent && { agent }), ...(artifact && { artifact }) }, []);
  }
  if (options.artifact === undefined) throw usageError('--key without --artifact', 'give --artifact FILE');
  const key = readKeyFile(resolve(cwd, options.key));
  if (isDenial(key)) throw denied(key);
  return { chain: mustReadArtifact(resolve(cwd, options.artifact)), key };
}

/** INVARIANT: a gateway never chooses whom a proof is for, or it could have proofs made for another. */
function onlyAudience(chain: readonly string[]): string {
  const leaf = readToken(chain.at(-1) ?? '');
  if (isDenial(leaf)) throw denied(leaf, 'see it with "writ artifact inspect"');
  const [only, ...others] = leaf.audiences ?? [];
  if (only !== undefined && others.length === 0) return only;
  throw usageError('the artifact is for several gateways, or for none', 'give --audience URI');
}
