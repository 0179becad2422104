import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { createDomain, type Home, isDomainName, isLocalName, openHome } from '../governor/index.ts';
import { denied, usageError } from './cli-error.ts';
import { gatewayCommand } from './client-config.ts';
import { type Define, examples } from './command.ts';
import { parseDuration } from './duration.ts';
import { refuseExposedHome } from './exposed-home.ts';
import { tellAgent, tellClient, tellDomain, tellPolicy, tellServer } from './init-report.ts';
import { type AdoptedServer, adoptServer, ensureAgent, ensurePolicy } from './init-steps.ts';
import type { Session } from './session.ts';

interface Options {
  readonly name?: string;
  readonly agent?: string;
  readonly server?: string;
  readonly ttl: string;
  readonly timeout: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Make a trust domain in .writ: keys, a governance log, an agent and a starter policy. With --server also put an MCP
server under it: its tools are listed and pinned, and the agent gets an artifact for those that only read.
In an existing domain this adds the server, or pins its tools anew.`,
    )
    .argument('[command...]', 'how the MCP server is started, after --')
    .option('--name <name>', 'name of the trust domain (default: local)')
    .option('--agent <name>', 'the agent that calls (default: agent)')
    .option('--server <name>', 'name of the MCP server, as tool ids will have it')
    .option('--ttl <duration>', 'how long the artifact is valid', '7d')
    .option('--timeout <duration>', 'how long the server may take to list its tools', '60s')
    .addHelpText(
      'after',
      examples(
        '$ writ init',
        '$ writ init --server fs -- npx -y @modelcontextprotocol/server-filesystem ~/work',
      ),
    )
    .action(act(init));
};

async function init(session: Session, command: readonly string[], options: Options): Promise<void> {
  const { output, surroundings, nowSeconds } = session;
  checkOptions(command, options);
  const ttlSeconds = parseDuration(options.ttl, '--ttl');
  const timeoutMs = parseDuration(options.timeout, '--timeout') * 1000;
  refuseExposedHome((await session.findHomeFolder()) ?? session.newHomeFolder, {
    args: command.slice(1),
    cwd: surroundings.cwd,
  });
  const { home, created } = await domainOf(session, options.name);
  const by = { actor: session.actor(home), atSeconds: nowSeconds };
  const agent = await ensureAgent(home, options.agent, by);
  let server: AdoptedServer | undefined;
  if (options.server !== undefined) {
    const { server: name } = options;
    const [program = '', ...args] = command;
    const upstream = { command: program, args, cwd: surroundings.cwd, env: surroundings.environment };
    server = await output.during(`starting ${name} to list its tools`, () =>
      adoptServer(home, { name, upstream, agent, ttlSeconds, timeoutMs }, by),
    );
  }
  const policy = await ensurePolicy(home, by);
  const artifact = server === undefined ? undefined : await server.grant(policy);
  const client =
    server === undefined
      ? undefined
      : gatewayCommand({
          program: surroundings.program,
          homeFolder: home.folder,
          server: server.name,
          ...(agent.isOnly ? {} : { agent: agent.name }),
          upstream: server.upstream,
        });
  const answer = {
    domain: home.domain,
    home: home.folder,
    created,
    agent: { name: agent.name, subject: agent.subject, created: agent.created },
    policy: { id: policy.bundle.id, digest: policy.bundle.digest, changed: policy.changed },
    ...(server && {
      server: {
        name: server.name,
        tools: server.tools,
        changes: server.changes,
        remembered: server.remembered,
      },
    }),
    ...(artifact && { artifact }),
    ...(client && { client }),
  };
  output.answer(answer, () => {
    tellDomain(output, home, created);
    tellAgent(output, agent);
    tellPolicy(output, policy, home);
    if (server !== undefined && artifact !== undefined) tellServer(output, server, artifact, agent.name);
    tellClient(output, server?.name, client);
  });
}

function checkOptions(command: readonly string[], { name, agent, server }: Options): void {
  if (name !== undefined && !isDomainName(name)) {
    throw usageError(
      `--name "${name}" is no trust domain name`,
      'use lower-case letters, digits, dots and hyphens',
    );
  }
  if (agent !== undefined && !isLocalName(agent)) {
    throw usageError(`--agent "${agent}" is no name`, 'use letters, digits and . _ ~ -');
  }
  if (server === undefined && command.length > 0) {
    throw usageError(
      'what is the server called?',
      `add --server NAME: writ init --server fs -- ${command.join(' ')}`,
    );
  }
  if (server !== undefined && command.length === 0) {
    throw usageError(
      `how is the server ${server} started?`,
      `add its command after --: writ init --server ${server} -- npx -y @modelcontextprotocol/server-filesystem ~/work`,
    );
  }
}

async function domainOf(
  session: Session,
  name: string | undefined,
): Promise<{ readonly home: Home; readonly created: boolean }> {
  const found = await session.findHomeFolder();
  const folder = found ?? session.newHomeFolder;
  if (existsSync(resolve(folder, 'domain.json'))) {
    const home = openHome(folder);
    if (isDenial(home)) throw denied(home);
    if (name !== undefined && name !== home.domain) {
      throw usageError(
        `${folder} is the trust domain ${home.domain} already`,
        'leave --name out to use it, or make another with --home DIR',
      );
    }
    return { home, created: false };
  }
  const domain = name ?? 'local';
  const home = await createDomain(folder, {
    name: domain,
    actor: `spiffe://${domain}/user/${session.userName}`,
    atSeconds: session.nowSeconds,
  });
  if (isDenial(home)) throw denied(home, 'choose another folder with --home DIR');
  return { home, created: true };
}
