import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { deriveToken } from '../../src/artifact/index.ts';
import type { JsonObject } from '../../src/codec/index.ts';
import { mcpToolId } from '../../src/enforce/mcp/index.ts';
import { type Component, measureUpstream } from '../../src/environment/index.ts';
import {
  createDomain,
  enrollAgent,
  type Home,
  issueArtifact,
  publishPolicy,
} from '../../src/governor/index.ts';
import { SigningKey, writeKeyFile } from '../../src/key/index.ts';
import { buildPolicyBundle, formatProblem } from '../../src/policy/index.ts';
import { freshFolder } from '../support/fresh-folder.ts';
import { must } from '../support/must.ts';

/** The name under which the filesystem server is governed. */
export const SERVER = 'fs';

const MARKER = 'this-folder-is-made-by-writ-demo';

/** A trust domain with a workspace, two agents and their artifacts: what the demo plays in. */
export interface World {
  readonly home: Home;
  readonly workspace: string;
  /** The unmodified filesystem server, as a command. */
  readonly upstream: { readonly command: string; readonly args: readonly string[] };
  readonly toolCount: number;
  readonly grantedCount: number;
  readonly plannerToken: string;
}

const POLICY = `// Whoever is enrolled may look at things.
@id("read")
permit (principal, action in Writ::Action::"read", resource)
when { principal.enrolled };

// Changing things takes an artifact that says what it is for.
@id("write-for-a-purpose")
permit (principal, action in [Writ::Action::"write", Writ::Action::"destructive"], resource)
when { principal.enrolled && context.artifact has purpose };

// Whatever an artifact grants: nobody writes payroll.
@id("payroll-is-off-limits")
forbid (principal, action == Writ::Action::"mcp://fs/tools/write_file", resource)
when { context.input.path like "*/payroll/*" };
`;

/** Makes the world anew in a folder that only the demo uses. `morePolicies`: Cedar that joins the demo's own. */
export async function makeWorld(folder: string, morePolicies: readonly string[] = []): Promise<World> {
  freshFolder(folder, MARKER);
  const workspace = join(folder, 'workspace');
  for (const name of ['notes', 'reports', 'payroll']) mkdirSync(join(workspace, name), { recursive: true });
  writeFileSync(
    join(workspace, 'notes', 'plan.md'),
    '# Plan\n\n1. Read the notes.\n2. Write the weekly report.\n',
  );
  writeFileSync(join(workspace, 'notes', 'week-47.md'), 'Gateway shipped. Two reviews open.\n');
  writeFileSync(join(workspace, 'payroll', 'november.csv'), 'name,amount\nada,1200\n');

  const upstream = { command: process.execPath, args: [filesystemServer(), workspace] };
  const definitions = await listTools(upstream);
  const atSeconds = Math.floor(Date.now() / 1000);
  const by = { actor: 'writ-demo', atSeconds };
  const home = must(await createDomain(join(folder, 'domain'), { name: 'demo.local', ...by }));

  const planner = SigningKey.generate();
  const reporter = SigningKey.generate();
  for (const [name, key] of Object.entries({ planner, reporter, thief: SigningKey.generate() })) {
    must(writeKeyFile(home.agentKeyFile(name), key));
    if (name !== 'thief')
      must(await enrollAgent(home, { subject: home.agent(name), key: key.publicKey, ...by }));
  }

  const tools = definitions.map((definition) => ({
    server: SERVER,
    id: mcpToolId(SERVER, 'tools', String(definition.name)),
    definition,
  }));
  const text = [POLICY, ...morePolicies].join('\n');
  const bundle = buildPolicyBundle({ id: 'demo', policies: [{ path: 'demo.cedar', text }], tools });
  if (!('digest' in bundle)) throw new Error(bundle.map(formatProblem).join('\n'));
  must(await publishPolicy(home, bundle, by));

  const measured = must(
    await measureUpstream({ ...upstream, cwd: folder, searchPath: process.env.PATH ?? '' }),
  );
  const grants = plannerGrants(workspace);
  const { compact: plannerToken } = must(
    await issueArtifact(
      home,
      {
        holder: planner.publicKey,
        tools: grants,
        audiences: [home.audience(SERVER)],
        iatSeconds: atSeconds,
        expSeconds: atSeconds + 3600,
        maxDepth: 2,
        writ: {
          initiator: { id: home.agent('planner'), kind: 'agent' },
          attribution: { owner: 'you' },
          governance: { purpose: 'weekly report', policy: { id: 'demo' } },
          environment: { components: serverComponents(measured.components) },
        },
      },
      by,
    ),
  );
  const reporterToken = must(
    deriveToken({
      parent: plannerToken,
      signer: planner,
      holder: reporter.publicKey,
      tools: reporterGrants(workspace),
      iatSeconds: atSeconds,
      expSeconds: atSeconds + 900,
    }),
  );
  storeArtifact(home, 'planner', [plannerToken]);
  storeArtifact(home, 'reporter', [plannerToken, reporterToken]);
  return {
    home,
    workspace,
    upstream,
    toolCount: definitions.length,
    grantedCount: Object.keys(grants).length,
    plannerToken,
  };
}

/** What the planner may do: read and write anywhere below the workspace, and list folders. */
function plannerGrants(workspace: string): Record<string, JsonObject> {
  const inside = { constraint_type: 'path_containment', root: workspace };
  const anything = { constraint_type: 'wildcard' };
  return {
    [mcpToolId(SERVER, 'tools', 'read_text_file')]: { path: inside },
    [mcpToolId(SERVER, 'tools', 'list_directory')]: { path: inside },
    [mcpToolId(SERVER, 'tools', 'write_file')]: { path: inside, content: anything },
  };
}

/** What the planner hands on to the reporter: read the notes, write reports. */
function reporterGrants(workspace: string): Record<string, JsonObject> {
  return {
    [mcpToolId(SERVER, 'tools', 'read_text_file')]: {
      path: { constraint_type: 'path_containment', root: join(workspace, 'notes') },
    },
    [mcpToolId(SERVER, 'tools', 'write_file')]: {
      path: { constraint_type: 'path_containment', root: join(workspace, 'reports') },
      content: { constraint_type: 'wildcard' },
    },
  };
}

/** The server's own program and lockfile: the Node that runs it may be updated. */
function serverComponents(components: readonly Component[]): Component[] {
  const entry = components.filter(({ kind, name }) => kind === 'upstream' && name !== 'node');
  if (entry.length === 0) throw new Error('the filesystem server could not be measured');
  return entry;
}

function storeArtifact(home: Home, name: string, chain: readonly string[]): void {
  const path = home.artifactFile(name);
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
  writeFileSync(path, `${JSON.stringify({ aat_chain: chain }, undefined, 2)}\n`, { mode: 0o600 });
}

/** Entry file of the real, unmodified filesystem server. */
export function filesystemServer(): string {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve('@modelcontextprotocol/server-filesystem/package.json');
    const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: Record<string, string> };
    return join(manifest, '..', Object.values(bin)[0] ?? '');
  } catch {
    throw new Error(
      'the demo needs the filesystem server: npm install @modelcontextprotocol/server-filesystem',
    );
  }
}

async function listTools(upstream: World['upstream']): Promise<JsonObject[]> {
  const client = new Client({ name: 'writ-demo', version: '1' });
  await client.connect(
    new StdioClientTransport({ command: upstream.command, args: [...upstream.args], stderr: 'ignore' }),
  );
  try {
    const { tools } = await client.listTools();
    return JSON.parse(JSON.stringify(tools)) as JsonObject[];
  } finally {
    await client.close();
  }
}
