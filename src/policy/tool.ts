import {
  canonicalize,
  type Digest,
  digestOf,
  isJsonObject,
  type JsonObject,
  type JsonValue,
} from '../codec/index.ts';

/** A tool as its server lists it. Enforcement points synthesise definitions for what isn't a tool (resources, sampling). */
export interface ToolDefinition {
  /** Configured name of the server. */
  readonly server: string;
  /** `<scheme>://<server>/…`, for example `mcp://fs/tools/read_text_file`. */
  readonly id: string;
  /** The MCP `Tool` object. */
  readonly definition: JsonObject;
}

/** The Cedar action groups every schema declares. */
export type ActionGroup = 'read' | 'write' | 'destructive';

/** What the digest of a definition covers: everything a model or a person goes by when choosing the tool. */
const PINNED_MEMBERS = [
  'name',
  'title',
  'description',
  'inputSchema',
  'outputSchema',
  'annotations',
] as const;

/** The members of a tool definition that are pinned; others (`icons`, `_meta`) may change freely. */
export function pinnedDefinition(definition: JsonObject): JsonObject {
  const pinned: Record<string, JsonValue> = {};
  for (const member of PINNED_MEMBERS) {
    const value = Object.hasOwn(definition, member) ? definition[member] : undefined;
    if (value !== undefined) pinned[member] = value;
  }
  return pinned;
}

/** SHA-256 over the JCS form of the pinned members (`spec/policy.md`, "Tool definitions"). */
export function toolDefinitionDigest(definition: JsonObject): Digest {
  return digestOf(canonicalize(pinnedDefinition(definition)));
}

/**
 * The action group MCP's annotations put a tool in. Their defaults are the dangerous ones (not read-only, destructive),
 * so silence, nonsense and contradiction all mean `destructive`.
 */
export function actionGroupOf(definition: JsonObject): ActionGroup {
  const annotations = Object.hasOwn(definition, 'annotations') ? definition.annotations : undefined;
  if (!isJsonObject(annotations)) return 'destructive';
  const readOnly = Object.hasOwn(annotations, 'readOnlyHint') ? annotations.readOnlyHint : undefined;
  const destructive = Object.hasOwn(annotations, 'destructiveHint') ? annotations.destructiveHint : undefined;
  if (readOnly === true) return destructive === true ? 'destructive' : 'read';
  if (readOnly !== undefined && readOnly !== false) return 'destructive';
  return destructive === false ? 'write' : 'destructive';
}
