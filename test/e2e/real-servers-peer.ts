import { Client as ModernClient } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernTransport } from '@modelcontextprotocol/client/stdio';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import type { Command } from './mcp-support.ts';

type Arguments = Readonly<Record<string, unknown>>;

interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: { progress: number; total?: number | undefined }) => void;
}

/** What the tests do with a client, whichever SDK it is from. */
export interface Peer {
  /** What the server said of itself. */
  readonly about: () => unknown;
  readonly listTools: () => Promise<{ readonly tools: readonly { readonly name: string }[] }>;
  readonly callTool: (name: string, args: Arguments, options?: CallOptions) => Promise<unknown>;
  readonly listResources: () => Promise<{ readonly resources: readonly { readonly uri: string }[] }>;
  readonly listResourceTemplates: () => Promise<unknown>;
  readonly readResource: (uri: string) => Promise<unknown>;
  readonly subscribe: (uri: string) => Promise<unknown>;
  readonly unsubscribe: (uri: string) => Promise<unknown>;
  readonly listPrompts: () => Promise<unknown>;
  readonly getPrompt: (name: string, args: Record<string, string>) => Promise<unknown>;
  readonly complete: (prompt: string, argument: string, value: string) => Promise<unknown>;
  readonly setLoggingLevel: (level: 'debug') => Promise<unknown>;
  readonly ping: () => Promise<unknown>;
  /** Log messages that arrived. */
  readonly logs: readonly unknown[];
  readonly close: () => Promise<void>;
}

const NAME = { name: 'real-servers-test', version: '1' };
const CAPABILITIES = { capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } };
const SAMPLED = {
  model: 'm',
  role: 'assistant' as const,
  content: { type: 'text' as const, text: 'sampled' },
};
const ELICITED = { action: 'accept' as const, content: { name: 'Ada' } };
const ROOTS = { roots: [{ uri: 'file:///somewhere', name: 'somewhere' }] };
/** Roots would take the place of the folders the filesystem server is started with. */
type Roots = 'roots' | 'no roots';

/** A client of `@modelcontextprotocol/sdk` (1.x). */
export async function connectSdk(command: Command, roots: Roots): Promise<Peer> {
  const client = new Client(NAME, CAPABILITIES);
  const logs: unknown[] = [];
  client.setRequestHandler(CreateMessageRequestSchema, () => SAMPLED);
  client.setRequestHandler(ElicitRequestSchema, () => ELICITED);
  client.setRequestHandler(ListRootsRequestSchema, () => (roots === 'roots' ? ROOTS : { roots: [] }));
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
    logs.push(params);
  });
  await client.connect(new StdioClientTransport({ ...command, stderr: 'ignore' }));
  return {
    about: () => [client.getServerVersion(), client.getServerCapabilities(), client.getInstructions()],
    callTool: (name, args, options) =>
      client.callTool({ name, arguments: args }, undefined, requestOptions(options)),
    logs,
    ...common(client),
  };
}

/** A client of `@modelcontextprotocol/client` (2.x), as it is by default. */
export async function connectModern(command: Command, roots: Roots): Promise<Peer> {
  const client = new ModernClient(NAME, CAPABILITIES);
  const logs: unknown[] = [];
  client.setRequestHandler('sampling/createMessage', () => SAMPLED);
  client.setRequestHandler('elicitation/create', () => ELICITED);
  client.setRequestHandler('roots/list', () => (roots === 'roots' ? ROOTS : { roots: [] }));
  client.setNotificationHandler('notifications/message', ({ params }) => {
    logs.push(params);
  });
  await client.connect(new ModernTransport({ ...command, stderr: 'ignore' }));
  return {
    about: () => [client.getServerVersion(), client.getServerCapabilities(), client.getInstructions()],
    callTool: (name, args, options) => client.callTool({ name, arguments: args }, requestOptions(options)),
    logs,
    ...common(client),
  };
}

/** What both SDKs call the same. */
function common(client: Client | ModernClient) {
  return {
    listTools: () => client.listTools(),
    listResources: () => client.listResources(),
    listResourceTemplates: () => client.listResourceTemplates(),
    readResource: (uri: string) => client.readResource({ uri }),
    subscribe: (uri: string) => client.subscribeResource({ uri }),
    unsubscribe: (uri: string) => client.unsubscribeResource({ uri }),
    listPrompts: () => client.listPrompts(),
    getPrompt: (name: string, args: Record<string, string>) => client.getPrompt({ name, arguments: args }),
    complete: (prompt: string, argument: string, value: string) =>
      client.complete({ ref: { type: 'ref/prompt', name: prompt }, argument: { name: argument, value } }),
    setLoggingLevel: (level: 'debug') => client.setLoggingLevel(level),
    ping: () => client.ping(),
    close: () => client.close(),
  };
}

function requestOptions({ signal, onprogress }: CallOptions = {}) {
  return { ...(signal ? { signal } : {}), ...(onprogress ? { onprogress } : {}) };
}
