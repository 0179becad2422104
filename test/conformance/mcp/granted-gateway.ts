import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { mintRoot } from '../../../src/artifact/index.ts';
import {
  createPresenter,
  governedUpstream,
  McpEndpoint,
  mcpToolId,
  type OpenLink,
  protocolDefinitions,
} from '../../../src/enforce/mcp/index.ts';
import { createDomain, enrollAgent, openGovernor, publishPolicy } from '../../../src/governor/index.ts';
import { readKeyFile, SigningKey } from '../../../src/key/index.ts';
import { buildPolicyBundle, type ToolDefinition } from '../../../src/policy/index.ts';
import { must, nowSeconds } from '../../support/trust-domain.ts';
import { TOOLS } from './fixture-contents.ts';

const SERVER = 's';

export interface GrantedGateway {
  readonly url: string;
  /** How often something was decided. */
  readonly decisions: () => number;
  readonly diagnostics: () => string;
  close(): Promise<void>;
}

/**
 * The gateway over HTTP with a real governor, for an agent that is granted everything there is to grant: every tool, every
 * governed method, and answers to questions nobody asked.
 */
export async function startGrantedGateway(openLink: OpenLink): Promise<GrantedGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-conformance-'));
  const atSeconds = nowSeconds();
  const home = must(
    await createDomain(join(folder, '.writ'), { name: 'test.local', actor: 'test', atSeconds }),
  );
  const agent = SigningKey.generate();
  const subject = home.agent('worker');
  must(await enrollAgent(home, { subject, key: agent.publicKey, actor: 'test', atSeconds }));
  const tools = definitions();
  const bundle = buildPolicyBundle({
    id: 'default',
    policies: [{ path: 'all.cedar', text: 'permit (principal, action, resource);' }],
    tools,
  });
  if (!('digest' in bundle)) throw new Error(JSON.stringify(bundle));
  must(await publishPolicy(home, bundle, { actor: 'test', atSeconds }));
  const artifact = must(
    mintRoot({
      issuer: { iss: home.issuer, signer: must(readKeyFile(home.keyFile('issuer'))) },
      holder: agent.publicKey,
      tools: Object.fromEntries(tools.map(({ id }) => [id, {}])),
      iatSeconds: atSeconds - 1,
      expSeconds: atSeconds + 3600,
      maxDepth: 0,
      audiences: [home.audience(SERVER)],
      writ: { initiator: { id: subject, kind: 'agent' } },
    }),
  );
  const opened = must(await openGovernor({ home, name: SERVER, components: [] }));
  const presenter = must(createPresenter({ chain: [artifact], signer: agent, audience: opened.audience }));
  let diagnostics = '';
  const stderr = new PassThrough();
  stderr.on('data', (chunk: Buffer) => {
    diagnostics += chunk.toString();
  });
  let decided = 0;
  const hosts = new Set<string>();
  const endpoint: McpEndpoint = new McpEndpoint({
    access: { hosts },
    path: '/mcp',
    resource: () => ({ resource: url() }),
    open: governedUpstream({
      name: SERVER,
      openLink,
      governor: {
        run: (action, effect) => {
          decided += 1;
          return opened.governor.run(action, effect);
        },
      },
      presenter,
      pinnedDigest: (tool) => bundle.tools.get(tool)?.digest,
      onDefinitions: (listed) => opened.setTools(listed),
      diagnose: (event) => {
        diagnostics += `${event}\n`;
      },
    }),
    diagnose: (event) => {
      diagnostics += `${event}\n`;
    },
  });
  const url = (): string => `http://127.0.0.1:${(endpoint.server.address() as AddressInfo).port}/mcp`;
  await new Promise<void>((resolve) => endpoint.server.listen(0, '127.0.0.1', resolve));
  for (const name of ['127.0.0.1', 'localhost']) hosts.add(`${name}:${new URL(url()).port}`);
  return {
    url: url(),
    decisions: () => decided,
    diagnostics: () => diagnostics,
    async close() {
      await endpoint.close();
      await opened.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function definitions(): ToolDefinition[] {
  return [
    ...TOOLS.map((definition) => ({
      server: SERVER,
      id: mcpToolId(SERVER, 'tools', definition.name),
      definition,
    })),
    ...protocolDefinitions(SERVER),
  ];
}
