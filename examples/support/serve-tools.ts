import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { contracts } from './contracts.ts';

type Code = (args: Readonly<Record<string, unknown>>) => string;

/** An MCP server on stdio, ignorant of Writ: its tools are those of the contract, its code answers with text. */
export async function serveTools(
  example: string,
  point: string,
  code: Readonly<Record<string, Code>>,
): Promise<void> {
  const tools = contracts(example, point);
  const server = new Server({ name: point, version: '1' }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: tools.map((tool) => ({ ...tool, inputSchema: { ...tool.inputSchema, type: 'object' as const } })),
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
    const run = Object.hasOwn(code, params.name) ? code[params.name] : undefined;
    if (run === undefined) throw new Error(`no tool ${params.name}`);
    return { content: [{ type: 'text', text: run(params.arguments ?? {}) }] };
  });
  await server.connect(new StdioServerTransport());
}
