import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Digest } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { protocolDefinitions } from '../enforce/mcp/index.ts';
import { type Home, writeFileDurably } from '../governor/index.ts';
import type { ToolDefinition } from '../policy/index.ts';
import { denied, type ExitCode, failure } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { type DefinitionChange, definitionChanges, definitionsDigest } from './definition-changes.ts';
import { parseDuration } from './duration.ts';
import { serverNameOf, upstreamOf } from './gateway-choice.ts';
import { readGovernance } from './governance.ts';
import { ensurePolicy, policyFolder } from './init-steps.ts';
import { listTools } from './list-tools.ts';
import { openHttp, readUpstreamTokens, upstreamUrl } from './mcp-upstreams.ts';
import { bundleOfFolder, isBundle, readToolManifest, toolManifest } from './policy-folder.ts';
import type { Session } from './session.ts';
import { bad, faint, good } from './text.ts';

interface Options {
  readonly url?: string;
  readonly token?: string;
  readonly cwd?: string;
  readonly timeout: string;
  readonly approve?: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Show how a server's tools differ from those that are pinned, as a diff in which invisible characters are visible. Exits
with 1 where they differ. What was read can then be approved, by its digest: its definitions are pinned and the policy is
published with them. Until then every tool that changed is denied (environment.tool_changed).

A server that is new here has no pins: all its tools are new.`,
    )
    .argument('<name>', 'the server, as tool ids have it')
    .argument('[command...]', 'how it is started, after -- (default: as "writ init" saw it)')
    .option('--url <url>', 'where it is, if it is reached over HTTP')
    .option('--token <file|env:NAME>', 'bearer token for it')
    .option('--cwd <dir>', 'folder it is started in')
    .option('--timeout <duration>', 'how long it may take to list its tools', '30s')
    .option('--approve <digest>', 'approve exactly the definitions that were shown under this digest')
    .addHelpText(
      'after',
      examples(
        '$ writ mcp changes fs',
        '$ writ mcp changes fs --approve sha256:…',
        '$ writ mcp changes docs --url https://docs.example/mcp --token env:DOCS_TOKEN',
      ),
    )
    .action(act(changes));
};

async function changes(
  session: Session,
  name: string,
  command: readonly string[],
  options: Options,
): Promise<ExitCode> {
  serverNameOf(name);
  const { output } = session;
  const home = await session.openHome();
  const current = await listed(session, home, name, command, options);
  const manifest = join(policyFolder(home), 'tools', `${name}.json`);
  const pinned = existsSync(manifest) ? readToolManifest(manifest) : [];
  const found = definitionChanges(pinned, current);
  const digest = definitionsDigest(current);
  if (options.approve !== undefined && options.approve !== digest) {
    throw failure(
      'environment.tool_changed',
      'the server lists other definitions now than those that were shown under this digest',
      `read them again: writ mcp changes ${name}`,
    );
  }
  if (options.approve === undefined || found.length === 0) {
    tell(session, name, found, digest, false);
    return found.length === 0 || options.approve !== undefined ? 0 : 1;
  }
  refusePendingEdits(home);
  writeFileDurably(manifest, toolManifest(name, current), 0o644);
  const policy = await ensurePolicy(home, { actor: session.actor(home), atSeconds: session.nowSeconds });
  tell(session, name, found, digest, true);
  if (!output.json) output.line(faint('policy   '), policy.bundle.digest);
  return 0;
}

/** Publishing publishes the folder: what else was changed in it would be approved unread. */
function refusePendingEdits(home: Home): void {
  const { state } = readGovernance(home);
  const active = state.policy;
  if (active === undefined) return;
  const bundle = bundleOfFolder('/', policyFolder(home), active.id);
  if (isBundle(bundle) && bundle.digest === active.digest) return;
  throw failure(
    'policy.unpublished',
    'the policy folder holds changes that are not published',
    `publish or undo them first: writ policy publish ${policyFolder(home)}`,
  );
}

async function listed(
  { surroundings }: Session,
  home: Home,
  name: string,
  command: readonly string[],
  options: Options,
): Promise<readonly ToolDefinition[]> {
  const timeoutMs = parseDuration(options.timeout, '--timeout') * 1000;
  const { token } = options;
  const bearer = token === undefined ? undefined : readUpstreamTokens(surroundings, [`_=${token}`]).get('_');
  const source =
    options.url === undefined
      ? {
          ...upstreamOf(home, surroundings.cwd, command, {
            name,
            ...(options.cwd === undefined ? {} : { cwd: resolve(surroundings.cwd, options.cwd) }),
          }),
          env: surroundings.environment,
        }
      : openHttp(upstreamUrl(options.url), bearer);
  const listing = await listTools(name, source, { timeoutMs });
  if (isDenial(listing)) throw denied(listing);
  return [...listing.tools, ...protocolDefinitions(name)];
}

function tell(
  { output }: Session,
  name: string,
  found: readonly DefinitionChange[],
  digest: Digest,
  approved: boolean,
): void {
  output.answer({ server: name, digest, approved, changes: found }, () => {
    if (found.length === 0) {
      output.line(good('nothing differs '), `from what is pinned for ${name}`);
      return;
    }
    for (const { tool, kind, lines } of found) {
      output.line(kind === 'removed' ? bad(`${kind} `) : good(`${kind} `), tool);
      for (const { sign, member, text } of lines) {
        output.line(sign === '+' ? good('  + ') : bad('  - '), faint(`${member}: `), text);
      }
    }
    if (approved) output.line(good('approved '), digest);
    else output.line(faint(`to approve this: writ mcp changes ${name} --approve `), digest);
  });
}
