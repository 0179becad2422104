import { isJsonObject, type JsonObject, type JsonValue, parseJsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { ToolDefinition } from '../../policy/index.ts';
import { type ToolAnnotations, toolId } from './governed-tool.ts';

/** Tool identifiers: `hook://claude-code/Bash`, `hook://claude-code/mcp__fs__read_file`. */
export const HOOK_SCHEME = 'hook';
export const CLAUDE_CODE = 'claude-code';

/** A use of a tool by Claude Code: before it, or what came of it. */
export interface ToolUse {
  readonly event: 'PreToolUse' | 'PostToolUse' | 'PostToolUseFailure';
  readonly toolName: string;
  readonly input: JsonObject;
  /** What all hooks of this use have in common; undefined where the hook does not say. */
  readonly use: { readonly sessionId: string; readonly useId: string } | undefined;
  /** What the tool gave, or the error's text. */
  readonly result: JsonValue | undefined;
}

const MAX_HOOK_BYTES = 2 * 1024 * 1024;
/** What a tool gave may be longer than what it was given. */
const MAX_OUTCOME_BYTES = 32 * 1024 * 1024;
const MAX_USE_ID_CHARACTERS = 256;
const MAX_TOOL_NAME_CHARACTERS = 256;

/**
 * The input of a `PreToolUse`, `PostToolUse` or `PostToolUseFailure` hook (https://code.claude.com/docs/en/hooks). Members
 * that come with newer versions are ignored; of the tool's own input all counts.
 */
export function parseToolUse(bytes: Uint8Array): ToolUse | Denial {
  const json = parseJsonObject(bytes, 'request.malformed', { maxBytes: MAX_OUTCOME_BYTES });
  if (isDenial(json)) return json;
  const { hook_event_name: event, tool_name: toolName, tool_input: input } = json;
  if (event !== 'PreToolUse' && event !== 'PostToolUse' && event !== 'PostToolUseFailure') {
    return deny('request.malformed', 'this is no hook before or after the use of a tool');
  }
  if (event === 'PreToolUse' && bytes.byteLength > MAX_HOOK_BYTES) {
    return deny('request.too_large', `the input is longer than ${MAX_HOOK_BYTES} bytes`);
  }
  if (typeof toolName !== 'string' || toolName === '' || toolName.length > MAX_TOOL_NAME_CHARACTERS) {
    return deny('request.malformed', 'tool_name is not the name of a tool');
  }
  if (!isJsonObject(input)) return deny('request.malformed', 'tool_input is not an object');
  const result = event === 'PostToolUse' ? json.tool_response : (json.error ?? json.error_message);
  return { event, toolName, input, use: namedUse(json), result };
}

function namedUse({ session_id: sessionId, tool_use_id: useId }: JsonObject): ToolUse['use'] {
  const isName = (value: unknown): value is string =>
    typeof value === 'string' && value !== '' && value.length <= MAX_USE_ID_CHARACTERS;
  return isName(sessionId) && isName(useId) ? { sessionId, useId } : undefined;
}

/** What policies and artifacts know of the tools of Claude Code; others are added to the manifest by hand. */
export function claudeCodeDefinitions(): ToolDefinition[] {
  return Object.entries(TOOLS).map(([name, { annotations, required, optional = {} }]) => ({
    server: CLAUDE_CODE,
    id: toolId(HOOK_SCHEME, CLAUDE_CODE, name),
    definition: {
      name,
      inputSchema: {
        type: 'object',
        properties: { ...required, ...optional },
        required: Object.keys(required),
      },
      annotations: { ...annotations },
    },
  }));
}

interface BuiltIn {
  readonly annotations: ToolAnnotations;
  readonly required: JsonObject;
  readonly optional?: JsonObject;
}

const TEXT = { type: 'string' };
const WHOLE = { type: 'integer' };
const FLAG = { type: 'boolean' };
const READS: ToolAnnotations = { readOnlyHint: true };
const WRITES: ToolAnnotations = { readOnlyHint: false, destructiveHint: false };
const ANYTHING: ToolAnnotations = { readOnlyHint: false, destructiveHint: true };
/** What is asked of the world outside may carry data there. */
const ASKS_OUTSIDE: ToolAnnotations = { ...WRITES, openWorldHint: true };

/** As of Claude Code 2.1.332. */
const TOOLS: Readonly<Record<string, BuiltIn>> = {
  Read: {
    annotations: READS,
    required: { file_path: TEXT },
    optional: { offset: WHOLE, limit: WHOLE, pages: TEXT, allow_large: FLAG },
  },
  Glob: { annotations: READS, required: { pattern: TEXT }, optional: { path: TEXT } },
  Grep: {
    annotations: READS,
    required: { pattern: TEXT },
    optional: {
      path: TEXT,
      glob: TEXT,
      type: TEXT,
      output_mode: TEXT,
      '-A': WHOLE,
      '-B': WHOLE,
      '-C': WHOLE,
      context: WHOLE,
      '-n': FLAG,
      '-i': FLAG,
      '-o': FLAG,
      head_limit: WHOLE,
      offset: WHOLE,
      multiline: FLAG,
    },
  },
  Write: { annotations: ANYTHING, required: { file_path: TEXT, content: TEXT } },
  Edit: {
    annotations: ANYTHING,
    required: { file_path: TEXT, old_string: TEXT, new_string: TEXT },
    optional: { replace_all: FLAG },
  },
  NotebookEdit: {
    annotations: ANYTHING,
    required: { notebook_path: TEXT, new_source: TEXT },
    optional: { cell_id: TEXT, cell_type: TEXT, edit_mode: TEXT },
  },
  Bash: {
    annotations: { ...ANYTHING, openWorldHint: true },
    required: { command: TEXT },
    optional: { description: TEXT, timeout: WHOLE, run_in_background: FLAG, dangerouslyDisableSandbox: FLAG },
  },
  WebFetch: { annotations: ASKS_OUTSIDE, required: { url: TEXT, prompt: TEXT }, optional: { offset: WHOLE } },
  WebSearch: {
    annotations: ASKS_OUTSIDE,
    required: { query: TEXT },
    optional: {
      allowed_domains: { type: 'array', items: TEXT },
      blocked_domains: { type: 'array', items: TEXT },
    },
  },
  Agent: {
    annotations: WRITES,
    required: { description: TEXT, prompt: TEXT },
    optional: { subagent_type: TEXT, model: TEXT, run_in_background: FLAG },
  },
};
