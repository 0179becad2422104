/** What a client must run to have a server behind the gateway. */
export interface GatewayCommand {
  readonly command: string;
  readonly args: readonly string[];
}

export function gatewayCommand(options: {
  /** Command line that starts this program. */
  readonly program: readonly string[];
  readonly homeFolder: string;
  readonly server: string;
  /** Named where the domain has several. */
  readonly agent?: string;
  readonly upstream: { readonly command: string; readonly args: readonly string[]; readonly cwd: string };
}): GatewayCommand {
  const { homeFolder, server, agent, upstream } = options;
  const [command = 'writ', ...own] = options.program;
  const args = ['mcp', '--home', homeFolder, '--name', server];
  if (agent !== undefined) args.push('--agent', agent);
  // Clients start servers wherever they please; relative arguments mean this folder.
  args.push('--cwd', upstream.cwd, '--', upstream.command, ...upstream.args);
  return { command, args: [...own, ...args] };
}

/** The member of `mcpServers` that Claude Desktop, Cursor and others read. */
export function clientConfiguration(server: string, command: GatewayCommand): string {
  return `"${server}": ${JSON.stringify(command)}`;
}

/** A command line that a POSIX shell reads back as these words. */
export function shellLine(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}
