import type { Home } from '../governor/index.ts';
import { clientConfiguration, type GatewayCommand, shellLine } from './client-config.ts';
import { formatTime } from './duration.ts';
import type { AdoptedServer, GrantedArtifact, ReadyAgent, ReadyPolicy } from './init-steps.ts';
import type { Output } from './output.ts';
import { bad, faint, good, type Part, strong, warn } from './text.ts';
import { describeArguments } from './tool-grants.ts';

function label(text: string): Part {
  return faint(text.padEnd(14));
}

function done(changed: boolean, text: string): Part {
  return changed ? good(`${text} `) : faint('unchanged ');
}

export function tellDomain(output: Output, home: Home, created: boolean): void {
  output.line(label('trust domain'), done(created, 'made'), strong(home.domain), faint(`  ${home.folder}`));
}

export function tellAgent(output: Output, { created, subject }: ReadyAgent): void {
  output.line(label('agent'), done(created, 'enrolled'), subject);
}

export function tellPolicy(output: Output, { changed, bundle }: ReadyPolicy, home: Home): void {
  output.line(
    label('policy'),
    done(changed, 'published'),
    `${bundle.policies.length} policies, ${bundle.tools.size} tools`,
    faint(`  ${home.folder}/policy`),
  );
}

export function tellServer(
  output: Output,
  server: Pick<AdoptedServer, 'name' | 'remembered' | 'tools' | 'changes'>,
  artifact: GrantedArtifact,
  agent: string,
  what = 'server',
): void {
  const { tools, changes } = server;
  output.line(label(what), strong(server.name), `  ${tools.length} tools listed and pinned`);
  if (!server.remembered) {
    output.line(label(''), warn('its command line looks like it holds a secret, so it was not kept: '));
    output.line(
      label(''),
      'pass that in an environment variable, or give the command after -- to "writ mcp"',
    );
  }
  for (const [what, ids] of Object.entries(changes)) {
    for (const id of ids) output.line(label(''), warn(`${what} since last time: ${id}`));
  }
  output.line(
    label('artifact'),
    done(artifact.changed, 'issued'),
    artifact.name,
    faint(`  valid until ${formatTime(artifact.expires)}`),
  );
  for (const { id, group, granted } of tools) {
    const map = artifact.tools[id];
    if (granted && map !== undefined) {
      output.line(label(''), good('✓ '), id, faint(`  ${describeArguments(map)}`));
    } else {
      output.line(label(''), bad('✗ '), id, faint(`  ${group}: not granted`));
    }
  }
  const listed = new Set(tools.map(({ id }) => id));
  for (const [id, map] of Object.entries(artifact.tools)) {
    if (!listed.has(id)) output.line(label(''), good('✓ '), id, faint(`  ${describeArguments(map)}`));
  }
  const withheld = tools.find(({ granted }) => !granted);
  if (withheld !== undefined) {
    const more = ['--agent', agent, '--extend', artifact.name, '--tool', withheld.id, '--purpose', 'why'];
    output.line(
      label(''),
      faint('grant more:  '),
      shellLine(['writ', 'artifact', 'issue', ...more, '--replace']),
    );
  }
}

export function tellClient(
  output: Output,
  server: string | undefined,
  client: GatewayCommand | undefined,
): void {
  output.line();
  if (server === undefined || client === undefined) {
    output.line('Next, put an MCP server under it:');
    output.line('  writ init --server fs -- npx -y @modelcontextprotocol/server-filesystem ~/work');
    return;
  }
  output.line('In your MCP client, put this in place of the server (under "mcpServers"):');
  output.line('  ', clientConfiguration(server, client));
  output.line('or, for Claude Code:');
  output.line('  ', shellLine(['claude', 'mcp', 'add', server, '--', client.command, ...client.args]));
  output.line('Then see what it does with:');
  output.line('  writ log show');
}
