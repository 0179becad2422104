import { createRequire } from 'node:module';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { Denial } from '../../src/denial/index.ts';
import { type GatewayExit, type GatewayOptions, runMcpGateway } from '../../src/enforce/mcp/index.ts';
import {
  type FakeGovernor,
  fakeGovernor,
  fakePresenter,
} from '../../src/enforce/mcp/session.test-support.ts';

const require = createRequire(import.meta.url);

export interface Command {
  readonly command: string;
  readonly args: string[];
}

/** One of the published servers, by the last part of its package's name. */
export function publishedServer(name: string, ...args: string[]): Command {
  const entry = require.resolve(`@modelcontextprotocol/server-${name}/dist/index.js`);
  return { command: process.execPath, args: [entry, ...args] };
}

export function fixtureServer(file: string, ...args: string[]): Command {
  return {
    command: process.execPath,
    args: [fileURLToPath(new URL(`../fixtures/mcp/${file}`, import.meta.url)), ...args],
  };
}

export interface GovernedServer {
  readonly governor: FakeGovernor;
  readonly exit: Promise<GatewayExit>;
  /** For a client of either SDK: it takes the place of the pipe to the server. */
  readonly transport: Transport;
  /** Everything that crossed to the client, as bytes. */
  readonly toClient: () => string;
  readonly stderr: () => string;
}

export interface GovernOptions extends Partial<Omit<GatewayOptions, 'client' | 'governor' | 'stderr'>> {
  readonly decide?: (action: { tool: string; args: unknown }) => Denial | undefined;
  readonly grants?: (tool: string) => boolean;
}

/** A real server behind the gateway, which runs in this process. */
export function govern(upstream: Command, options: GovernOptions = {}): GovernedServer {
  const { decide, grants, ...overrides } = options;
  const governor = fakeGovernor(decide);
  const input = new PassThrough();
  const output = new PassThrough();
  const stderr = new PassThrough();
  let errors = '';
  let sent = '';
  stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  output.on('data', (chunk: Buffer) => {
    sent += chunk.toString();
  });
  const exit = runMcpGateway({
    name: 's',
    upstream,
    presenter: fakePresenter(grants),
    ...overrides,
    client: { input, output },
    governor,
    stderr,
  });
  const transport = new StdioServerTransport(output, input);
  const close = transport.close.bind(transport);
  transport.close = async () => {
    input.end();
    await close();
  };
  return { governor, exit, transport, toClient: () => sent, stderr: () => errors };
}
