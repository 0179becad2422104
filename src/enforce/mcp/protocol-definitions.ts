import type { Digest, JsonObject } from '../../codec/index.ts';
import { type ToolDefinition, toolDefinitionDigest } from '../../policy/index.ts';
import { type McpArea, mcpToolId } from './tool-id.ts';

const string = { type: 'string' };
const reading = { readOnlyHint: true };
/** It carries data to the client's side, and destroys nothing there. */
const asking = { readOnlyHint: false, destructiveHint: false };

/**
 * What MCP has besides tools and is governed like one, in the form of tools. No server lists these, so the definitions
 * are the gateway's own: a policy bundle holds them for policies to speak of, and pins them. Changing one here denies
 * under every bundle that holds the old one.
 */
const DEFINITIONS: Readonly<Record<string, JsonObject>> = {
  'resources/read': {
    description: 'Reads a resource of the server.',
    inputSchema: { type: 'object', properties: { uri: string }, required: ['uri'] },
    annotations: reading,
  },
  'resources/subscribe': {
    description: 'Asks to be told when a resource of the server changes.',
    inputSchema: { type: 'object', properties: { uri: string }, required: ['uri'] },
    annotations: reading,
  },
  'prompts/get': {
    description: 'Gets a prompt of the server, filled in.',
    inputSchema: {
      type: 'object',
      properties: { name: string, arguments: { type: 'object' } },
      required: ['name'],
    },
    annotations: reading,
  },
  'completion/complete': {
    description: 'Asks the server to complete an argument that is being typed.',
    inputSchema: {
      type: 'object',
      properties: {
        ref: { type: 'object', properties: { type: string, name: string, uri: string } },
        argument: { type: 'object', properties: { name: string, value: string } },
        context: { type: 'object' },
      },
      required: ['ref', 'argument'],
    },
    annotations: reading,
  },
  'sampling/createMessage': {
    description: "The server asks the client's model.",
    inputSchema: {
      type: 'object',
      properties: { systemPrompt: string, includeContext: string, maxTokens: { type: 'number' } },
    },
    annotations: asking,
  },
  'elicitation/create': {
    description: 'The server asks the person at the client.',
    inputSchema: { type: 'object', properties: { mode: string, message: string, url: string } },
    annotations: asking,
  },
  'roots/list': {
    description: 'The server asks which folders the client works in.',
    inputSchema: { type: 'object' },
    annotations: reading,
  },
  'input/answer': {
    description: 'The client answers questions that it was not asked through this gateway.',
    inputSchema: { type: 'object', properties: { responses: { type: 'object' }, state: string } },
    annotations: asking,
  },
};

const digests: ReadonlyMap<string, Digest> = new Map(
  Object.keys(DEFINITIONS).map((name) => [name, toolDefinitionDigest(definitionOf(name))]),
);

/** The definitions under a server's identifiers, for its trust domain's policy bundle. */
export function protocolDefinitions(server: string): ToolDefinition[] {
  return Object.keys(DEFINITIONS).map((method) => {
    const [area, name] = method.split('/') as [McpArea, string];
    return { server, id: mcpToolId(server, area, name), definition: definitionOf(method) };
  });
}

/** Digest of what a governed method (`resources/read`) is, for the pin; undefined for tools and what isn't governed. */
export function protocolDefinitionDigest(method: string): Digest | undefined {
  return digests.get(method);
}

function definitionOf(method: string): JsonObject {
  return { name: method, ...DEFINITIONS[method] };
}
