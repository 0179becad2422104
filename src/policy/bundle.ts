import {
  canonicalize,
  type Digest,
  digestOf,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJsonObject,
} from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type Cedar, withCedar } from './cedar.ts';
import { inputTypeOf, type RecordInputType } from './input-type.ts';
import {
  messageOf,
  type ParsedPolicy,
  type PolicyProblem,
  type PolicySource,
  parsePolicySource,
  startOf,
} from './policy-source.ts';
import { policySchema } from './schema.ts';
import {
  type ActionGroup,
  actionGroupOf,
  pinnedDefinition,
  type ToolDefinition,
  toolDefinitionDigest,
} from './tool.ts';

export const BUNDLE_TYPE = 'writ/policy-bundle@v1';

/** Limits of one bundle (`spec/policy.md`, "Bundles"). */
export const BUNDLE_LIMITS = {
  maxBytes: 1_048_576,
  maxPolicies: 1000,
  maxTools: 2000,
  /** Validation looks at every policy for every tool. */
  maxPolicyToolPairs: 100_000,
} as const;

export type BundlePolicy = Omit<ParsedPolicy, 'problemAt'>;

export interface BundleTool {
  readonly server: string;
  /** The pinned members of the definition. */
  readonly definition: JsonObject;
  readonly digest: Digest;
  readonly group: ActionGroup;
  readonly input: RecordInputType;
}

/** A strictly validated set of policies with the tools they speak of. Only `build` and `parse` make one. */
export interface PolicyBundle {
  readonly id: string;
  readonly digest: Digest;
  /** JCS of the bundle document: what the digest covers. */
  readonly bytes: Uint8Array;
  /** Cedar schema text, generated from the tools. */
  readonly schema: string;
  readonly sources: readonly PolicySource[];
  readonly policies: readonly BundlePolicy[];
  /** By tool id. */
  readonly tools: ReadonlyMap<string, BundleTool>;
}

const BUNDLE_ID = /^[\x21-\x7e]{1,256}$/;
const SERVER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const SOURCE_PATH = /^[^\p{Cc}\p{Cf}\\]{1,256}$/u;
const TOOL_ID = /^[a-z][a-z0-9+.-]*:\/\/([^/]+)\/\P{Cc}+$/u;
const MAX_TOOL_ID_CHARACTERS = 512;
const MAX_DEFINITION_DEPTH = 48;

const validated = new WeakSet<PolicyBundle>();

/** Whether a bundle came from here, strictly validated. */
export function isValidatedBundle(bundle: PolicyBundle): boolean {
  return validated.has(bundle);
}

/**
 * Builds a bundle, or lists everything that is wrong with it. The order of policies and tools given doesn't matter to
 * the digest. Problems that belong to no file carry the path `(bundle)` or the tool's id.
 */
export function buildPolicyBundle(input: {
  id: string;
  policies: readonly PolicySource[];
  tools: readonly ToolDefinition[];
}): PolicyBundle | PolicyProblem[] {
  try {
    return build(input);
  } catch {
    return [{ path: '(bundle)', reason: 'Cedar could not process the policies' }];
  }
}

/**
 * Parses a bundle document and validates it again from scratch: schema and digest are recomputed, and the bytes must be
 * the very ones that building gives.
 */
export function parsePolicyBundle(bytes: Uint8Array): PolicyBundle | Denial {
  const document = parseJsonObject(bytes, 'policy.unavailable', { maxBytes: BUNDLE_LIMITS.maxBytes });
  if (isDenial(document)) return document;
  const input = readDocument(document);
  if (input === undefined) return deny('policy.unavailable', 'not a policy bundle document');
  const bundle = buildPolicyBundle(input);
  if (Array.isArray(bundle)) {
    const [problem] = bundle;
    return deny('policy.unavailable', problem === undefined ? 'refused' : formatProblem(problem));
  }
  if (Buffer.compare(bundle.bytes, bytes) !== 0) {
    return deny('policy.unavailable', 'bundle is not the canonical document of its policies and tools');
  }
  return bundle;
}

/** `path:line:column: reason`. */
export function formatProblem(problem: PolicyProblem): string {
  const place = [problem.path, problem.line, problem.column].filter((part) => part !== undefined).join(':');
  return `${place}: ${problem.reason}`;
}

function build(input: {
  id: string;
  policies: readonly PolicySource[];
  tools: readonly ToolDefinition[];
}): PolicyBundle | PolicyProblem[] {
  const sources = [...input.policies].sort((left, right) => compare(left.path, right.path));
  const definitions = [...input.tools].sort((left, right) => compare(left.id, right.id));
  const problems = [...findBundleProblems(input.id, sources), ...findToolProblems(definitions)];
  if (problems.length > 0) return problems;

  const tools = new Map<string, BundleTool>();
  for (const { id, server, definition } of definitions) {
    tools.set(id, {
      server,
      definition: pinnedDefinition(definition),
      digest: toolDefinitionDigest(definition),
      group: actionGroupOf(definition),
      input: inputTypeOf(Object.hasOwn(definition, 'inputSchema') ? definition.inputSchema : undefined),
    });
  }
  const schema = policySchema([...tools].map(([id, tool]) => ({ id, ...tool })));
  const bytes = new TextEncoder().encode(
    canonicalize({
      type: BUNDLE_TYPE,
      id: input.id,
      policies: sources.map(({ path, text }) => ({ path, text })),
      tools: [...tools].map(([id, { server, definition }]) => ({ server, id, definition })),
      schema,
    }),
  );
  if (bytes.byteLength > BUNDLE_LIMITS.maxBytes) {
    return [bundleProblem(`${bytes.byteLength} bytes exceed ${BUNDLE_LIMITS.maxBytes}`)];
  }

  return withCedar((cedar) => {
    const policies = parsePolicies(cedar, sources);
    const flaws =
      policies.problems.length > 0 ? policies.problems : validate(cedar, policies.parsed, schema, tools);
    if (flaws.length > 0) return sortProblems(flaws);
    const bundle: PolicyBundle = Object.freeze({
      id: input.id,
      digest: digestOf(bytes),
      bytes,
      schema,
      sources: sources.map(({ path, text }) => Object.freeze({ path, text })),
      policies: policies.parsed.map(({ problemAt: _, ...policy }) => Object.freeze(policy)),
      tools,
    });
    validated.add(bundle);
    return bundle;
  });
}

function parsePolicies(
  cedar: Cedar,
  sources: readonly PolicySource[],
): { parsed: ParsedPolicy[]; problems: PolicyProblem[] } {
  const parsed: ParsedPolicy[] = [];
  const problems: PolicyProblem[] = [];
  const ids = new Set<string>();
  for (const source of sources) {
    for (const item of parsePolicySource(cedar, source, BUNDLE_LIMITS.maxPolicies - parsed.length)) {
      if ('reason' in item) problems.push(item);
      else if (ids.has(item.id))
        problems.push(item.problemAt(undefined, `policy id ${item.id} is used twice`));
      else {
        ids.add(item.id);
        parsed.push(item);
      }
    }
  }
  return { parsed, problems };
}

/** Cedar's strict validation of every policy against the schema. */
function validate(
  cedar: Cedar,
  policies: readonly ParsedPolicy[],
  schema: string,
  tools: ReadonlyMap<string, BundleTool>,
): PolicyProblem[] {
  if (policies.length * tools.size > BUNDLE_LIMITS.maxPolicyToolPairs) {
    return [bundleProblem(`policies times tools exceed ${BUNDLE_LIMITS.maxPolicyToolPairs}`)];
  }
  const answer = cedar.validate({
    schema,
    policies: { staticPolicies: Object.fromEntries(policies.map(({ id, text }) => [id, text])) },
    validationSettings: { mode: 'strict' },
  });
  if (answer.type === 'failure') return answer.errors.map((error) => bundleProblem(messageOf(error)));
  const byId = new Map(policies.map((policy) => [policy.id, policy]));
  return answer.validationErrors.slice(0, MAX_VALIDATION_ERRORS).map(({ policyId, error }) => {
    const policy = byId.get(policyId);
    return policy === undefined
      ? bundleProblem(messageOf(error))
      : policy.problemAt(startOf(error), messageOf(error));
  });
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

/** Whether a value that may not have come from our parser has a JSON form, to a depth. */
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
        ([name, item]) => name.isWellFormed() && isBoundedJson(item, depth - 1),
      );
    }
    default:
      return false;
  }
}

function readDocument(
  document: JsonObject,
): { id: string; policies: PolicySource[]; tools: ToolDefinition[] } | undefined {
  const { type, id, policies, tools, schema } = document;
  if (type !== BUNDLE_TYPE || typeof id !== 'string' || typeof schema !== 'string') return undefined;
  if (!Array.isArray(policies) || !Array.isArray(tools)) return undefined;
  const input: { id: string; policies: PolicySource[]; tools: ToolDefinition[] } = {
    id,
    policies: [],
    tools: [],
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

/** Most of Cedar's findings looked at, and most problems told at once. */
const MAX_VALIDATION_ERRORS = 1000;
const MAX_PROBLEMS = 100;

function sortProblems(problems: readonly PolicyProblem[]): PolicyProblem[] {
  return [...problems]
    .sort(
      (left, right) =>
        compare(left.path, right.path) ||
        (left.line ?? 0) - (right.line ?? 0) ||
        (left.column ?? 0) - (right.column ?? 0) ||
        compare(left.reason, right.reason),
    )
    .slice(0, MAX_PROBLEMS);
}

function bundleProblem(reason: string): PolicyProblem {
  return { path: '(bundle)', reason };
}

function printable(text: string): string {
  return /^[\x20-\x7e]{1,200}$/.test(text) ? text : JSON.stringify(text.slice(0, 100));
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
