import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { CallToolResultSchema, McpError } from '@modelcontextprotocol/sdk/types.js';

/** What came of one call, as the client saw it. */
export interface Answer {
  readonly verdict: 'permit' | 'deny';
  readonly code?: string;
  /** Execution id: the receipt's. */
  readonly receipt?: string;
  readonly text: string;
}

/** An ordinary MCP client, talking to a gateway where it would talk to the server. */
export class GatewayClient {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  static async connect(command: string, args: readonly string[]): Promise<GatewayClient> {
    const client = new Client({ name: 'writ-example', version: '1' });
    await client.connect(new StdioClientTransport({ command, args: [...args], stderr: 'ignore' }));
    return new GatewayClient(client);
  }

  async toolNames(): Promise<string[]> {
    const { tools } = await this.#client.listTools();
    return tools.map(({ name }) => name);
  }

  /** @param parent execution this call follows from. */
  async call(name: string, args: Record<string, unknown>, parent?: string): Promise<Answer> {
    const _meta = { 'writ/receipt': true, ...(parent === undefined ? {} : { 'writ/parent': parent }) };
    try {
      const result = await this.#client.request(
        { method: 'tools/call', params: { name, arguments: args, _meta } },
        CallToolResultSchema,
      );
      const receipt = result._meta?.['writ/receipt'];
      const text = result.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
      return { verdict: 'permit', text, ...(typeof receipt === 'string' ? { receipt } : {}) };
    } catch (error) {
      if (!(error instanceof McpError)) throw error;
      const { code, receipt } = (error.data ?? {}) as { code?: string; receipt?: string };
      return {
        verdict: 'deny',
        text: error.message,
        ...(code === undefined ? {} : { code }),
        ...(receipt === undefined ? {} : { receipt }),
      };
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
