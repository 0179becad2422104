import { isJsonObject, type JsonObject, type JsonValue } from '../codec/index.ts';
import type { PolicyProblem, PolicySource } from './policy-source.ts';
import type { ToolDefinition } from './tool.ts';

export const BUNDLE_TYPE = 'writ/policy-bundle@v1';

/** Limits of one bundle (`spec/policy.md`, "Bundles"). */
export const BUNDLE_LIMITS = {
  maxBytes: 1_048_576,
  maxPolicies: 1000,
  maxTools: 2000,
  /** Validation looks at every policy for every tool. */
  maxPolicyToolPairs: 100_000,
} as const;

/** What a bundle is built from. */
export interface BundleInput {
  readonly id: string;
  readonly policies: readonly PolicySource[];
  readonly tools: readonly ToolDefinition[];
  readonly redaction?: RedactionSource;
}

/** What receipts show of calls, as it was written. */
export interface RedactionSource {
  /** The file, for messages. */
  readonly path: string;
  /** A mapping from tools to rules, from a strict parser. */
  readonly rules: JsonValue;
  /** Where in the file the member stands that these names lead to. */
  readonly placeOf?: (at: readonly string[]) => Pick<PolicyProblem, 'line' | 'column'>;
}

const BUNDLE_ID = /^[\x21-\x7e]{1,256}$/;
const SERVER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const SOURCE_PATH = /^[^\p{Cc}\p{Cf}\\]{1,256}$/u;
const TOOL_ID = /^[a-z][a-z0-9+.-]*:\/\/([^/]+)\/\P{Cc}+$/u;
const MAX_TOOL_ID_CHARACTERS = 512;
const MAX_DEFINITION_DEPTH = 48;

/** What is wrong with sorted input before any policy is looked at. */
export function findInputProblems(input: BundleInput): PolicyProblem[] {
  return [...findBundleProblems(input.id, input.policies), ...findToolProblems(input.tools)];
}

/** A problem of no one file. */
export function bundleProblem(reason: string): PolicyProblem {
  return { path: '(bundle)', reason };
}

function findBundleProblems(id: string, sources: readonly PolicySource[]): PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  if (!BUNDLE_ID.test(id)) problems.push(bundleProblem('id must be 1 to 256 printable ASCII characters'));
  if (sources.length > BUNDLE_LIMITS.maxPolicies) return [bundleProblem('too many policy files')];
  let characters = 0;
  for (const [index, { path, text }] of sources.entries()) {
    characters += text.length;
    if (!SOURCE_PATH.test(path) || !path.isWellFormed())
      problems.push(bundleProblem('a policy path is not usable'));
    else if (sources[index - 1]?.path === path) problems.push({ path, reason: 'path is used twice' });
    else if (!text.isWellFormed()) problems.push({ path, reason: 'text is not well-formed Unicode' });
  }
  if (characters > BUNDLE_LIMITS.maxBytes) problems.push(bundleProblem('policies are too long'));
  return problems;
}

function findToolProblems(tools: readonly ToolDefinition[]): PolicyProblem[] {
  if (tools.length > BUNDLE_LIMITS.maxTools) {
    return [bundleProblem(`${tools.length} tools exceed ${BUNDLE_LIMITS.maxTools}`)];
  }
  const problems: PolicyProblem[] = [];
  for (const [index, { server, id, definition }] of tools.entries()) {
    const problem = (reason: string) => problems.push({ path: printable(id), reason });
    if (!SERVER_NAME.test(server)) problem('server name must be letters, digits, dots, dashes, underscores');
    else if (id.length > MAX_TOOL_ID_CHARACTERS || !id.isWellFormed() || TOOL_ID.exec(id)?.[1] !== server) {
      problem(`tool id must be <scheme>://${server}/<name>`);
    } else if (tools[index - 1]?.id === id) problem('tool id is used twice');
    else if (!isJsonObject(definition) || !isBoundedJson(definition, MAX_DEFINITION_DEPTH)) {
      problem('tool definition is not JSON, or nested too deep');
    }
  }
  return problems;
}

/** Whether a value that may not have come from our parser would pass it, to a depth. */
function isBoundedJson(value: JsonValue | undefined, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed();
    case 'number':
      return Number.isFinite(value);
    case 'boolean':
      return true;
    case 'object': {
      if (value === null) return true;
      if (depth === 0) return false;
      if (Array.isArray(value)) return value.every((item: JsonValue) => isBoundedJson(item, depth - 1));
      if (!isJsonObject(value)) return false;
      return Object.entries(value).every(
        ([name, item]) => name !== '__proto__' && name.isWellFormed() && isBoundedJson(item, depth - 1),
      );
    }
    default:
      return false;
  }
}

/** The input that a bundle document holds, or undefined when it has not the shape of one. */
export function readBundleDocument(document: JsonObject): BundleInput | undefined {
  const { type, id, policies, tools, schema, redaction } = document;
  if (type !== BUNDLE_TYPE || typeof id !== 'string' || typeof schema !== 'string') return undefined;
  if (!Array.isArray(policies) || !Array.isArray(tools)) return undefined;
  const input = {
    id,
    policies: [] as PolicySource[],
    tools: [] as ToolDefinition[],
    ...(redaction === undefined ? {} : { redaction: { path: 'redaction', rules: redaction } }),
  };
  for (const item of policies as readonly JsonValue[]) {
    if (!isJsonObject(item)) return undefined;
    const { path, text } = item;
    if (typeof path !== 'string' || typeof text !== 'string') return undefined;
    input.policies.push({ path, text });
  }
  for (const item of tools as readonly JsonValue[]) {
    if (!isJsonObject(item)) return undefined;
    const { server, id: toolId, definition } = item;
    if (typeof server !== 'string' || typeof toolId !== 'string' || !isJsonObject(definition))
      return undefined;
    input.tools.push({ server, id: toolId, definition });
  }
  return input;
}

/** Text of others, made fit for a message. */
export function printable(text: string): string {
  return /^[\x20-\x7e]{1,200}$/.test(text) ? text : JSON.stringify(text.slice(0, 100));
}
