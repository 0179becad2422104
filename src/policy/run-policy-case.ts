import { isDenial } from '../denial/index.ts';
import { timeFacts } from './facts.ts';
import type { PolicyCase } from './policy-case.ts';
import type { PolicyRequest, PreparedPolicy } from './prepared-policy.ts';
import { forbiddenBy } from './verdict.ts';

export interface CaseResult {
  readonly name: string;
  readonly passed: boolean;
  /** What came out: `permit` or a code, with its detail. */
  readonly verdict: string;
  /** What is not as expected; empty where all is. */
  readonly problems: readonly string[];
}

/** A Monday morning, for cases that do not care. */
const DEFAULT_TIME = '2026-01-05T10:00:00Z';

/**
 * Asks a policy about one case. What a case does not state is the ordinary: an enrolled agent, a root execution, a measured
 * environment (`self`), a root artifact of that agent which ends in an hour and says no purpose.
 *
 * @param subjectOf makes the URI of an agent from its name.
 */
export function runPolicyCase(
  policy: PreparedPolicy,
  { name, given, expect }: PolicyCase,
  subjectOf: (agent: string) => string,
): CaseResult {
  const answer = policy.evaluate(requestOf(given, subjectOf(given.agent)));
  const problems: string[] = [];
  const verdict = isDenial(answer) ? answer.code : 'permit';
  if (verdict !== expect.verdict) problems.push(`expected ${expect.verdict}, got ${verdict}`);
  else {
    const { determining, approvals } = expect;
    if (determining !== undefined && !isDeterminedBy(answer, [...determining].sort())) {
      const by = isDenial(answer) ? answer.detail : answer.determining.join(', ');
      problems.push(`expected determining ${determining.join(', ') || 'none'}; was: ${by}`);
    }
    const asked = isDenial(answer)
      ? []
      : answer.approvals.map(({ role, threshold }) => `${role}:${threshold}`);
    if (approvals !== undefined && [...approvals].sort().join() !== asked.sort().join()) {
      problems.push(
        `expected approvals ${approvals.join(', ') || 'none'}, got ${asked.join(', ') || 'none'}`,
      );
    }
  }
  const detail = isDenial(answer) ? `${verdict}: ${answer.detail}` : verdict;
  return { name, passed: problems.length === 0, verdict: detail, problems };
}

function isDeterminedBy(
  answer: ReturnType<PreparedPolicy['evaluate']>,
  expected: readonly string[],
): boolean {
  if (!isDenial(answer)) return answer.determining.join('\n') === expected.join('\n');
  return answer.code === 'policy.forbidden' ? answer.detail === forbiddenBy(expected) : expected.length === 0;
}

function requestOf(given: PolicyCase['given'], id: string): PolicyRequest {
  const { tool, input = {}, enrolled = true, environment = {}, lineage = {}, artifact = {} } = given;
  const { measured = true, digest, assurance = measured ? 'self' : 'none' } = environment;
  const { parentTool, depth = parentTool === undefined ? 0 : 1 } = lineage;
  return {
    principal: { id, enrolled, thumbprint: 'A'.repeat(43) },
    tool,
    input,
    facts: {
      artifact: {
        ...{ issuer: 'spiffe://local/issuer', rootId: 'root', leafId: 'leaf', depth: 0 },
        ...{ expiresInSeconds: 3600, initiator: { id, kind: 'agent' } },
        ...artifact,
      },
      environment: { measured, assurance, ...(digest === undefined ? {} : { digest }) },
      lineage: { isRoot: depth === 0, depth, ...(parentTool === undefined ? {} : { parentTool }) },
      time: timeFacts(Date.parse(given.time ?? DEFAULT_TIME) / 1000),
    },
  };
}
