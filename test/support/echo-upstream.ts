import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

/** A server of the published SDK over HTTP, which says what it is told. */
export interface EchoUpstream {
  readonly url: string;
  /** What it was called with. */
  readonly said: readonly string[];
  close(): void;
}

export async function startEchoUpstream(): Promise<EchoUpstream> {
  const said: string[] = [];
  const server: Server = createServer((request, response) => {
    const mcp = new McpServer({ name: 'far', version: '1' });
    mcp.registerTool(
      'say',
      { description: 'Says it.', inputSchema: { text: z.string() }, annotations: { readOnlyHint: true } },
      ({ text }) => {
        said.push(text);
        return { content: [{ type: 'text', text: `said ${text}` }] };
      },
    );
    // Without sessions: each request has a server of its own.
    const transport = new StreamableHTTPServerTransport({});
    void mcp
      .connect(transport as Parameters<McpServer['connect']>[0])
      .then(() => transport.handleRequest(request, response));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    said,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
