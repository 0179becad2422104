import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PROGRAM } from '../../examples/support/program.ts';
import { listTools } from '../../src/cli/list-tools.ts';
import type { JsonObject } from '../../src/codec/index.ts';
import { protocolDefinitions } from '../../src/enforce/mcp/index.ts';
import {
  createDomain,
  enrollAgent,
  type Home,
  issueArtifact,
  publishPolicy,
} from '../../src/governor/index.ts';
import { SigningKey, writeKeyFile } from '../../src/key/index.ts';
import { buildPolicyBundle, type ToolDefinition } from '../../src/policy/index.ts';
import { must, nowSeconds } from '../support/trust-domain.ts';
import type { Command } from './mcp-support.ts';

const AGENT = 'client';

/** A trust domain that governs real servers with the real program. */
export interface RealDomain {
  readonly home: Home;
  readonly folder: string;
  /** The command a client is configured with in place of the server's own. */
  governed(server: string, upstream?: Command): Command;
  dispose(): void;
}

/**
 * @param servers how each is started, by the name it is governed under.
 * @param withheld tools that the artifact does not grant; it grants everything else there is, with any arguments.
 */
export async function makeRealDomain(
  servers: Readonly<Record<string, Command>>,
  withheld: readonly string[],
): Promise<RealDomain> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'writ-real-')));
  const by = { actor: 'test', atSeconds: nowSeconds() };
  const home = must(await createDomain(join(folder, 'domain'), { name: 'real.test', ...by }));
  const client = SigningKey.generate();
  must(writeKeyFile(home.agentKeyFile(AGENT), client));
  must(await enrollAgent(home, { subject: home.agent(AGENT), key: client.publicKey, ...by }));
  const listed = await Promise.all(
    Object.entries(servers).map(async ([server, { command, args }]): Promise<readonly ToolDefinition[]> => {
      const upstream = { command, args, cwd: folder, env: process.env };
      const { tools } = must(await listTools(server, upstream, { timeoutMs: 30_000 }));
      return [...tools, ...protocolDefinitions(server)];
    }),
  );
  const tools = listed.flat();
  const policies = [{ path: 'real.cedar', text: 'permit (principal, action, resource);' }];
  const bundle = buildPolicyBundle({ id: 'real', policies, tools });
  if (!('digest' in bundle)) throw new TypeError(JSON.stringify(bundle));
  must(await publishPolicy(home, bundle, by));
  const grants: Record<string, JsonObject> = {};
  for (const { id } of tools) if (!withheld.includes(id)) grants[id] = {};
  const { compact } = must(
    await issueArtifact(
      home,
      {
        holder: client.publicKey,
        tools: grants,
        audiences: Object.keys(servers).map((server) => home.audience(server)),
        iatSeconds: by.atSeconds,
        expSeconds: by.atSeconds + 3600,
        writ: { initiator: { id: home.agent(AGENT), kind: 'agent' } },
      },
      by,
    ),
  );
  const artifact = home.artifactFile(AGENT);
  mkdirSync(dirname(artifact), { recursive: true, mode: 0o700 });
  writeFileSync(artifact, JSON.stringify({ aat_chain: [compact] }), { mode: 0o600 });
  return {
    home,
    folder,
    governed(server, upstream = servers[server]) {
      if (upstream === undefined) throw new TypeError(`no server ${server}`);
      const options = [
        '--home',
        home.folder,
        '--name',
        server,
        '--agent',
        AGENT,
        '--artifact',
        AGENT,
        '--daemon',
        'never',
      ];
      return {
        command: process.execPath,
        args: [PROGRAM, 'mcp', ...options, '--', upstream.command, ...upstream.args],
      };
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The same command, with everything it is told copied into a file. */
export function tapped({ command, args }: Command, file: string): Command {
  return { command: 'sh', args: ['-c', 'tee -a "$0" | exec "$@"', file, command, ...args] };
}
