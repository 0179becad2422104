import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readToken, verifyChain } from '../artifact/index.ts';
import { jsonEquals } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { isServerName, protocolDefinitions } from '../enforce/mcp/index.ts';
import { revocationHandlesOf } from '../governance/index.ts';
import { enrollAgent, type Home, issueArtifact, publishPolicy, writeFileDurably } from '../governor/index.ts';
import { readKeyFile, SigningKey, type VerificationKey, writeKeyFile } from '../key/index.ts';
import {
  type ActionGroup,
  actionGroupOf,
  formatProblem,
  type PolicyBundle,
  starterPolicy,
  type ToolDefinition,
  toolDefinitionDigest,
} from '../policy/index.ts';
import { defaultAgent, localAgents } from './agents.ts';
import { readArtifactFile, writeArtifact } from './artifact-file.ts';
import { denied, failure, usageError } from './cli-error.ts';
import { readGovernance } from './governance.ts';
import { type Listing, listTools, type ServerCommand } from './list-tools.ts';
import { bundleOfFolder, isBundle, readToolManifest, toolManifest } from './policy-folder.ts';
import { writeServer } from './server-file.ts';
import { closedArguments, type ToolGrants } from './tool-grants.ts';

/** Who acts, and when. */
export interface By {
  readonly actor: string;
  readonly atSeconds: number;
}

export interface ReadyAgent {
  readonly name: string;
  readonly subject: string;
  readonly key: VerificationKey;
  readonly created: boolean;
  /** No other agent's key lies in this domain: it need not be named. */
  readonly isOnly: boolean;
}

export interface ReadyPolicy {
  readonly bundle: PolicyBundle;
  readonly changed: boolean;
}

export interface ListedTool {
  readonly id: string;
  readonly group: ActionGroup;
  readonly granted: boolean;
}

export interface GrantedArtifact {
  readonly name: string;
  readonly file: string;
  readonly jti: string;
  readonly expires: number;
  readonly changed: boolean;
  readonly tools: ToolGrants;
}

export interface AdoptedServer {
  readonly name: string;
  readonly upstream: ServerCommand;
  /** False where the command line holds what looks like a secret, which is not kept. */
  readonly remembered: boolean;
  readonly tools: readonly ListedTool[];
  /** Against what was pinned before; nothing where the server is new. */
  readonly changes: { readonly added: string[]; readonly changed: string[]; readonly removed: string[] };
  /** Issues the agent's artifact, unless the one it has says the same and still has half its time. */
  readonly grant: (policy: ReadyPolicy) => Promise<GrantedArtifact>;
}

/** The agent's key and its enrolment; the only agent there is, where none is named. */
export async function ensureAgent(home: Home, named: string | undefined, by: By): Promise<ReadyAgent> {
  const existing = localAgents(home);
  const name = named ?? defaultAgent(home);
  const file = home.agentKeyFile(name);
  const created = !existsSync(file);
  if (created) {
    const refused = writeKeyFile(file, SigningKey.generate());
    if (refused !== undefined) throw denied(refused);
  }
  const signing = readKeyFile(file);
  if (isDenial(signing)) throw denied(signing);
  const key = signing.publicKey;
  const subject = home.agent(name);
  const { state } = readGovernance(home);
  if (state.agentByThumbprint(key.thumbprint)?.subject !== subject) {
    const refused = await enrollAgent(home, { subject, key, ...by });
    if (refused !== undefined) throw denied(refused);
  }
  return { name, subject, key, created, isOnly: existing.every((other) => other === name) };
}

export function policyFolder(home: Home): string {
  return join(home.folder, 'policy');
}

/** The domain's policy folder, with the starter policy where it has none, published where it is not active. */
export async function ensurePolicy(home: Home, by: By): Promise<ReadyPolicy> {
  const folder = policyFolder(home);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const ignore = join(home.folder, '.gitignore');
  // Keys lie here: only what people write may go into version control.
  if (!existsSync(ignore)) writeFileDurably(ignore, '*\n!.gitignore\n!policy/\n!policy/**\n', 0o644);
  if (!readdirSync(folder).some((name) => name.endsWith('.cedar'))) {
    writeFileDurably(join(folder, 'starter.cedar'), starterPolicy(), 0o644);
  }
  const { state } = readGovernance(home);
  const bundle = bundleOfFolder('/', folder, state.policy?.id ?? home.domain);
  if (!isBundle(bundle)) {
    const [problem] = bundle;
    const reason = problem === undefined ? 'it is refused' : formatProblem(problem);
    throw failure(
      'policy.invalid',
      `the policy folder is not valid: ${reason}`,
      `see "writ policy check ${folder}"`,
    );
  }
  const changed = state.policy?.digest !== bundle.digest;
  if (changed) {
    const refused = await publishPolicy(home, bundle, by);
    if (refused !== undefined) throw denied(refused);
  }
  return { bundle, changed };
}

/** Lists a server's tools and pins their definitions in the policy folder. */
export async function adoptServer(
  home: Home,
  options: {
    readonly name: string;
    readonly upstream: ServerCommand;
    readonly agent: ReadyAgent;
    readonly ttlSeconds: number;
    readonly timeoutMs: number;
  },
  by: By,
): Promise<AdoptedServer> {
  const { name, upstream, agent, ttlSeconds, timeoutMs } = options;
  if (!isServerName(name)) {
    throw usageError(`--server "${name}" is no server name`, 'use letters, digits and . _ -');
  }
  const listed = await listTools(name, upstream, { timeoutMs });
  if (isDenial(listed)) {
    throw denied(listed, `run the command by itself to see what is wrong: ${upstream.command} …`);
  }
  const pinned = [...listed.tools, ...protocolDefinitions(name)];
  const manifest = join(policyFolder(home), 'tools', `${name}.json`);
  const changes = changesSince(existsSync(manifest) ? readToolManifest(manifest) : undefined, pinned);
  writeFileDurably(manifest, toolManifest(name, pinned), 0o644);
  const remembered = writeServer(home, name, upstream);
  const granted = grantedDefinitions(name, listed);
  const tools = listed.tools.map(({ id, definition }) => {
    return { id, group: actionGroupOf(definition), granted: granted.some((tool) => tool.id === id) };
  });
  return {
    name,
    upstream,
    remembered,
    tools,
    changes,
    grant: () => ensureArtifact(home, name, anyArguments(granted), { agent, ttlSeconds, by }),
  };
}

/** What of MCP besides tools only reads from a server, by the capability with which it offers it. */
const READING_AREAS: Readonly<Record<string, string>> = {
  resources: 'resources',
  prompts: 'prompts',
  completions: 'completion',
};

/**
 * What reads from the server and does nothing else: its tools that say so, and the resources, prompts and completions
 * it offers. What the server may ask of the client (roots, sampling, elicitation) is never granted unasked.
 */
function grantedDefinitions(server: string, { tools, capabilities }: Listing): readonly ToolDefinition[] {
  const areas = [...capabilities].map((capability) => READING_AREAS[capability]);
  const prefixes = areas.filter((area) => area !== undefined).map((area) => `mcp://${server}/${area}/`);
  return [
    ...tools,
    ...protocolDefinitions(server).filter(({ id }) => prefixes.some((prefix) => id.startsWith(prefix))),
  ].filter(({ definition }) => actionGroupOf(definition) === 'read');
}

/** The arguments that definitions name, with any values. */
export function anyArguments(definitions: readonly ToolDefinition[]): ToolGrants {
  return Object.fromEntries(definitions.map(({ id, definition }) => [id, closedArguments(definition).map]));
}

export function changesSince(
  before: readonly ToolDefinition[] | undefined,
  now: readonly ToolDefinition[],
): AdoptedServer['changes'] {
  if (before === undefined) return { added: [], changed: [], removed: [] };
  const old = new Map(before.map(({ id, definition }) => [id, toolDefinitionDigest(definition)]));
  const listed = new Set(now.map(({ id }) => id));
  return {
    added: now.filter(({ id }) => !old.has(id)).map(({ id }) => id),
    changed: now
      .filter(({ id, definition }) => old.has(id) && old.get(id) !== toolDefinitionDigest(definition))
      .map(({ id }) => id),
    removed: [...old.keys()].filter((id) => !listed.has(id)),
  };
}

/** Issues the agent's artifact for a server, unless the one it has says the same and still has half its time. */
export async function ensureArtifact(
  home: Home,
  server: string,
  tools: ToolGrants,
  options: { readonly agent: ReadyAgent; readonly ttlSeconds: number; readonly by: By },
): Promise<GrantedArtifact> {
  const { agent, ttlSeconds, by } = options;
  const name = `${agent.name}-${server}`;
  const file = home.artifactFile(name);
  const kept = existsSync(file) ? findStanding(home, file, tools, ttlSeconds, by.atSeconds) : undefined;
  if (kept !== undefined) return { name, file, ...kept, changed: false, tools };
  const expSeconds = by.atSeconds + ttlSeconds;
  const issued = await issueArtifact(
    home,
    {
      holder: agent.key,
      tools,
      audiences: [home.audience(server)],
      iatSeconds: by.atSeconds,
      expSeconds,
      writ: { initiator: { id: by.actor, kind: 'human' } },
    },
    by,
  );
  if (isDenial(issued)) throw denied(issued);
  writeArtifact(home, name, [issued.compact], { replace: true });
  return { name, file, jti: issued.jti, expires: expSeconds, changed: true, tools };
}

/** The stored artifact, where it still stands and grants just this. */
function findStanding(
  home: Home,
  file: string,
  tools: ToolGrants,
  ttlSeconds: number,
  nowSeconds: number,
): { readonly jti: string; readonly expires: number } | undefined {
  const chain = readArtifactFile(file);
  if (isDenial(chain)) return undefined;
  const { state } = readGovernance(home);
  const verified = verifyChain(chain, { anchors: state.anchors, nowSeconds });
  const token = readToken(chain.at(-1) ?? '');
  if (isDenial(verified) || isDenial(token)) return undefined;
  if (state.findRevocation(revocationHandlesOf(verified, state)) !== undefined) return undefined;
  if (state.agentByThumbprint(token.holder.thumbprint) === undefined) return undefined;
  if (token.expSeconds - nowSeconds < ttlSeconds / 2) return undefined;
  return jsonEquals(token.toolsJson ?? {}, tools) ? { jti: token.jti, expires: token.expSeconds } : undefined;
}
