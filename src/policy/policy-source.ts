import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';
import { type ApprovalRequirement, parseApprovals } from './approval.ts';
import type { Cedar } from './cedar.ts';
import { fromByteOffset, lineAndColumn, type PolicySegment, splitPolicies } from './policy-text.ts';

/** A file of Cedar policies. */
export interface PolicySource {
  /** Relative POSIX path, for messages and default policy ids. */
  readonly path: string;
  readonly text: string;
}

/** Why a bundle is refused, and where. */
export interface PolicyProblem {
  readonly path: string;
  /** 1-based. */
  readonly line?: number;
  /** 1-based, in UTF-16 units. */
  readonly column?: number;
  readonly reason: string;
}

export interface ParsedPolicy {
  /** The `@id` annotation, or `<path>#<n>` counted from 1. */
  readonly id: string;
  readonly path: string;
  /** 1-based line of the policy's first token. */
  readonly line: number;
  readonly effect: 'permit' | 'forbid';
  readonly text: string;
  /** What a permit asks for beyond itself. */
  readonly approvals: readonly ApprovalRequirement[];
  /** Attribute names the policy reads or writes. */
  readonly attributes: ReadonlySet<string>;
  /** Whether it uses `context` otherwise than by naming a member of it. */
  readonly usesWholeContext: boolean;
  /** Members of `context` that it uses otherwise than by naming a member of theirs. */
  readonly wholeMembers: ReadonlySet<string>;
  /** A problem of the file at Cedar's byte offset within this policy; without one, at the policy's first token. */
  readonly problemAt: (byteOffset: number | undefined, reason: string) => PolicyProblem;
}

/** Cedar spells out types, however long. */
const MAX_REASON_CHARACTERS = 500;

/** A misspelt annotation could be a restriction someone meant, so only these are let through. */
const ANNOTATIONS = new Set(['id', 'approval', 'title', 'description', 'reference']);
const POLICY_ID = /^[^\p{Cc}\p{Cf}]{1,300}$/u;
/** Characters that make text read otherwise than it runs. */
const BIDIRECTIONAL = /[\u202a-\u202e\u2066-\u2069]/;

/** Parses one file into its policies, of which there may be `maxPolicies`, or says what is wrong with it. */
export function parsePolicySource(
  cedar: Cedar,
  source: PolicySource,
  maxPolicies: number,
): ParsedPolicy[] | PolicyProblem[] {
  const { path, text } = source;
  const problemAt = (offset: number, reason: string): PolicyProblem => ({
    path,
    ...lineAndColumn(text, offset),
    reason,
  });
  const bidirectional = text.search(BIDIRECTIONAL);
  if (bidirectional >= 0) return [problemAt(bidirectional, 'bidirectional control character')];

  const split = splitPolicies(text);
  if ('reason' in split) return [problemAt(split.offset, split.reason)];
  const excess = split.segments[maxPolicies];
  if (excess !== undefined) return [problemAt(excess.start, 'one policy too many')];
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === 'failure') {
    const [error] = parts.errors;
    const offset = error === undefined ? undefined : startOf(error);
    return [
      problemAt(fromByteOffset(text, offset ?? 0), error === undefined ? 'does not parse' : messageOf(error)),
    ];
  }

  const policies: ParsedPolicy[] = [];
  const problems: PolicyProblem[] = [];
  for (const [index, segment] of split.segments.entries()) {
    const policy = parseSegment(cedar, source, segment, index + 1);
    if ('reason' in policy) problems.push(policy);
    else policies.push(policy);
  }
  if (problems.length > 0) return problems;
  // INVARIANT: our split and Cedar's agree, so that no policy is lost between segments.
  if (parts.policies.length !== policies.length || parts.policy_templates.length > 0) {
    return [problemAt(0, 'policies cannot be told apart')];
  }
  return policies;
}

export function messageOf(error: DetailedError): string {
  const text = error.help === null ? error.message : `${error.message} (${error.help})`;
  return text.length <= MAX_REASON_CHARACTERS ? text : `${text.slice(0, MAX_REASON_CHARACTERS - 1)}…`;
}

/** Byte offset of an error's first location. */
export function startOf(error: DetailedError): number | undefined {
  return error.sourceLocations?.[0]?.start;
}

function parseSegment(
  cedar: Cedar,
  source: PolicySource,
  segment: PolicySegment,
  number: number,
): ParsedPolicy | PolicyProblem {
  const { path } = source;
  const head = /^(?:\s|\/\/[^\n\r]*)*/.exec(segment.text)?.[0].length ?? 0;
  const problemAt = (byteOffset: number | undefined, reason: string): PolicyProblem => {
    const offset = byteOffset === undefined ? head : fromByteOffset(segment.text, byteOffset);
    return { path, ...lineAndColumn(source.text, segment.start + offset), reason };
  };
  const problemAtHead = (reason: string) => problemAt(undefined, reason);
  const answer = cedar.policyToJson(segment.text);
  if (answer.type === 'failure') {
    const [error] = answer.errors;
    return error === undefined
      ? problemAtHead('does not parse')
      : problemAt(startOf(error), messageOf(error));
  }
  const annotations = answer.json.annotations ?? {};
  for (const name of Object.keys(annotations)) {
    if (!ANNOTATIONS.has(name)) {
      const known = [...ANNOTATIONS].map((annotation) => `@${annotation}`).join(', ');
      return problemAtHead(`unknown annotation @${name}; known are ${known}`);
    }
  }
  const id = annotations.id ?? `${path}#${number}`;
  if (!POLICY_ID.test(id)) return problemAtHead('policy id must be 1 to 300 printable characters');

  let approvals: readonly ApprovalRequirement[] = [];
  const approval = annotations.approval;
  if (approval !== undefined) {
    if (answer.json.effect !== 'permit') return problemAtHead('@approval belongs on permit policies only');
    const parsed = parseApprovals(approval);
    if (parsed === undefined) {
      return problemAtHead('@approval must be "role:threshold", or several separated by commas');
    }
    approvals = parsed;
  }
  const attributes = new Set<string>();
  for (const clause of answer.json.conditions) collectAttributes(clause.body, attributes);
  const { line } = lineAndColumn(source.text, segment.start + head);
  const { effect } = answer.json;
  const use: ContextUse = { whole: false, wholeMembers: new Set() };
  for (const { body } of answer.json.conditions) collectContextUse(body, false, use);
  const { whole: usesWholeContext, wholeMembers } = use;
  const { text } = segment;
  return { id, path, line, effect, text, approvals, attributes, usesWholeContext, wholeMembers, problemAt };
}

interface ContextUse {
  whole: boolean;
  readonly wholeMembers: Set<string>;
}

/**
 * Finds what of `context` an expression uses as a value, and not only to get at a member of it.
 *
 * @param accessed whether the expression stands before a dot or a `has`.
 */
function collectContextUse(expression: unknown, accessed: boolean, use: ContextUse): void {
  if (typeof expression !== 'object' || expression === null) return;
  for (const [operator, operand] of Object.entries(expression)) {
    if (operator === 'Var') use.whole ||= operand === 'context' && !accessed;
    if (typeof operand !== 'object' || operand === null) continue;
    const isAccess = (operator === '.' || operator === 'has') && 'left' in operand;
    if (!isAccess) {
      collectContextUse(operand, false, use);
      continue;
    }
    if (operator === '.' && !accessed && isContext(operand.left) && 'attr' in operand) {
      use.wholeMembers.add(String(operand.attr));
    }
    collectContextUse(operand.left, true, use);
  }
}

function isContext(expression: unknown): boolean {
  return (
    typeof expression === 'object' &&
    expression !== null &&
    'Var' in expression &&
    expression.Var === 'context'
  );
}

/** Collects every attribute name in an expression: accesses, presence tests, and members of record literals. */
function collectAttributes(expression: unknown, attributes: Set<string>): void {
  if (typeof expression !== 'object' || expression === null) return;
  for (const [operator, operand] of Object.entries(expression)) {
    if (typeof operand !== 'object' || operand === null) continue;
    if ((operator === '.' || operator === 'has') && 'attr' in operand) {
      const names: unknown[] = Array.isArray(operand.attr) ? operand.attr : [operand.attr];
      for (const name of names) if (typeof name === 'string') attributes.add(name);
    }
    if (operator === 'Record' || operator === 'Value') {
      for (const name of Object.keys(operand)) attributes.add(name);
    }
    collectAttributes(operand, attributes);
  }
}
