import { type Digest, encodeUriSegment, type JsonObject } from '../../codec/index.ts';
import { type ToolDefinition, toolDefinitionDigest } from '../../policy/index.ts';

/** What a tool does to the world, in MCP's words; silence means destructive (`spec/policy.md`, Groups). */
export interface ToolAnnotations {
  readonly readOnlyHint?: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
  readonly openWorldHint?: boolean;
}

/** How a tool presents itself. */
export interface ToolDescription {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema: JsonObject;
  readonly annotations?: ToolAnnotations | undefined;
}

/** A tool as decisions know it. */
export interface GovernedTool extends ToolDefinition {
  /** Of its definition, to be the one that was pinned when policy was published. */
  readonly digest: Digest;
}

/** The tool identifier of a function of a program: `sdk://<program>/<name>`. Injective, like all of them. */
export function sdkToolId(program: string, name: string): string {
  return toolId('sdk', program, name);
}

export function toolId(scheme: string, server: string, name: string): string {
  if (name === '') throw new TypeError('a tool needs a name');
  return `${scheme}://${server}/${encodeUriSegment(name)}`;
}

export function governedTool(scheme: string, server: string, tool: ToolDescription): GovernedTool {
  const { name, description, inputSchema, annotations } = tool;
  const definition: JsonObject = {
    name,
    ...(description === undefined ? {} : { description }),
    inputSchema,
    ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
  };
  return { server, id: toolId(scheme, server, name), definition, digest: toolDefinitionDigest(definition) };
}
