import { canonicalize, type Digest, digestOf, type JsonObject, parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import {
  BUNDLE_LIMITS,
  BUNDLE_TYPE,
  type BundleInput,
  bundleProblem,
  findInputProblems,
  printable,
  readBundleDocument,
} from './bundle-input.ts';
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
import { parseRedactionRules, type RedactionProblem, RedactionRules } from './redaction/index.ts';
import { policySchema } from './schema.ts';
import { type ActionGroup, actionGroupOf, pinnedDefinition, toolDefinitionDigest } from './tool.ts';

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
  /** What receipts show of calls; without it nothing. */
  readonly redaction?: RedactionRules;
}

const validated = new WeakSet<PolicyBundle>();

/** Whether a bundle came from here, strictly validated. */
export function isValidatedBundle(bundle: PolicyBundle): boolean {
  return validated.has(bundle);
}

/**
 * Builds a bundle, or lists everything that is wrong with it. The order of policies and tools given doesn't matter to
 * the digest. Problems that belong to no file carry the path `(bundle)` or the tool's id.
 */
export function buildPolicyBundle(input: BundleInput): PolicyBundle | PolicyProblem[] {
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
  const input = readBundleDocument(document);
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

function build(input: BundleInput): PolicyBundle | PolicyProblem[] {
  const sources = [...input.policies].sort((left, right) => compare(left.path, right.path));
  const definitions = [...input.tools].sort((left, right) => compare(left.id, right.id));
  const problems = findInputProblems({ id: input.id, policies: sources, tools: definitions });
  if (problems.length > 0) return problems;

  const redaction =
    input.redaction === undefined ? undefined : parseRedactionRules(input.redaction.rules, definitions);
  const flawed = Array.isArray(redaction) ? redactionProblems(input.redaction, redaction) : [];

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
      ...(redaction instanceof RedactionRules ? { redaction: redaction.json } : {}),
    }),
  );
  if (bytes.byteLength > BUNDLE_LIMITS.maxBytes) {
    return [bundleProblem(`${bytes.byteLength} bytes exceed ${BUNDLE_LIMITS.maxBytes}`)];
  }

  return withCedar((cedar) => {
    const policies = parsePolicies(cedar, sources);
    const flaws = [
      ...flawed,
      ...(policies.problems.length > 0 ? policies.problems : validate(cedar, policies.parsed, schema, tools)),
    ];
    if (flaws.length > 0) return sortProblems(flaws);
    const bundle: PolicyBundle = Object.freeze({
      id: input.id,
      digest: digestOf(bytes),
      bytes,
      schema,
      sources: sources.map(({ path, text }) => Object.freeze({ path, text })),
      policies: policies.parsed.map(({ problemAt: _, ...policy }) => Object.freeze(policy)),
      tools,
      ...(redaction instanceof RedactionRules ? { redaction } : {}),
    });
    validated.add(bundle);
    return bundle;
  });
}

function redactionProblems(
  source: BundleInput['redaction'],
  problems: readonly RedactionProblem[],
): PolicyProblem[] {
  return problems.map(({ at, reason }) => ({
    path: source?.path ?? 'redaction',
    ...source?.placeOf?.(at),
    reason: at.length === 0 ? reason : `${printable(at.join(' > '))}: ${reason}`,
  }));
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

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
