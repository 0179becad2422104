import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Home, isLocalName, writeFileDurably } from '../governor/index.ts';
import { actionGroupOf, type ToolDefinition } from '../policy/index.ts';
import { usageError } from './cli-error.ts';
import { parseDuration } from './duration.ts';
import { tellAgent, tellPolicy, tellServer } from './init-report.ts';
import {
  anyArguments,
  changesSince,
  ensureAgent,
  ensureArtifact,
  ensurePolicy,
  policyFolder,
} from './init-steps.ts';
import { readToolManifest, toolManifest } from './policy-folder.ts';
import type { Session } from './session.ts';
import type { ToolGrants } from './tool-grants.ts';

export interface AdoptOptions {
  readonly agent?: string;
  readonly ttl: string;
}

/** Tools of an enforcement point that has no server to list them. */
export interface ToAdopt {
  /** Name of the enforcement point. */
  readonly name: string;
  /** What it is called to people. */
  readonly what: string;
  readonly definitions: readonly ToolDefinition[];
  /** Narrows what is granted of those that only read. */
  readonly narrow?: (grants: ToolGrants) => ToolGrants;
}

/** Pins the tools, publishes them with the policy, and gives the agent an artifact for those that only read. */
export async function adoptTools(
  session: Session,
  home: Home,
  { name, what, definitions, narrow = (grants) => grants }: ToAdopt,
  options: AdoptOptions,
  tellMore: () => void,
): Promise<void> {
  const { output } = session;
  if (options.agent !== undefined && !isLocalName(options.agent)) {
    throw usageError(`--agent "${options.agent}" is no name`, 'use letters, digits and . _ ~ -');
  }
  const ttlSeconds = parseDuration(options.ttl, '--ttl');
  const by = { actor: session.actor(home), atSeconds: session.nowSeconds };
  const agent = await ensureAgent(home, options.agent, by);
  const manifest = join(policyFolder(home), 'tools', `${name}.json`);
  const before = existsSync(manifest) ? readToolManifest(manifest) : undefined;
  writeFileDurably(manifest, toolManifest(name, definitions), 0o644);
  const policy = await ensurePolicy(home, by);
  const granted = definitions.filter(({ definition }) => actionGroupOf(definition) === 'read');
  const grants = narrow(anyArguments(granted));
  const artifact = await ensureArtifact(home, name, grants, { agent, ttlSeconds, by });
  const tools = definitions.map(({ id, definition }) => {
    return { id, group: actionGroupOf(definition), granted: grants[id] !== undefined };
  });
  const adopted = { name, tools, changes: changesSince(before, definitions), remembered: true };
  const answer = {
    domain: home.domain,
    home: home.folder,
    agent: { name: agent.name, subject: agent.subject, created: agent.created },
    policy: { id: policy.bundle.id, digest: policy.bundle.digest, changed: policy.changed },
    [what]: { name, tools, changes: adopted.changes },
    artifact,
  };
  output.answer(answer, () => {
    tellAgent(output, agent);
    tellPolicy(output, policy, home);
    tellServer(output, adopted, artifact, agent.name, what);
    tellMore();
  });
}
