import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs';
import { type Denial, deny } from '../denial/index.ts';
import { type ApprovalRequirement, mergeApprovals } from './approval.ts';

/** What policy grants: the permits that matched, and the approvals they ask for. */
export interface PolicyPermit {
  /** Ids of the permit policies that matched, sorted. */
  readonly determining: readonly string[];
  /** Every role some determining policy asks for, with its highest threshold, sorted by role. */
  readonly approvals: readonly ApprovalRequirement[];
}

/**
 * The fail-closed rule (DESIGN §5, policy). Cedar skips a policy that errors, so an erroring `forbid` would leave an
 * allow standing: any error at all denies.
 *
 * @param approvals of every policy of the set, by id. An answer that names another policy denies.
 */
export function verdictOf(
  answer: AuthorizationAnswer,
  approvals: ReadonlyMap<string, readonly ApprovalRequirement[]>,
): PolicyPermit | Denial {
  if (answer.type !== 'success') return deny('policy.evaluation_failed', 'Cedar refused the request');
  const { decision, diagnostics } = answer.response;
  // Cedar's messages quote values, which may be secret arguments: only the policies' ids are told.
  if (diagnostics.errors.length > 0) {
    const ids = diagnostics.errors.map((error) => error.policyId).sort();
    return deny('policy.evaluation_failed', `evaluation of ${ids.join(', ')} failed`);
  }
  const determining = [...diagnostics.reason].sort();
  if (decision !== 'allow') {
    return determining.length > 0
      ? deny('policy.forbidden', forbiddenBy(determining))
      : deny('policy.not_permitted', 'no policy permits this');
  }
  const required: (readonly ApprovalRequirement[])[] = [];
  for (const id of determining) {
    const list = approvals.get(id);
    if (list === undefined) return deny('policy.evaluation_failed', 'Cedar named an unknown policy');
    required.push(list);
  }
  if (required.length === 0) return deny('policy.evaluation_failed', 'Cedar allowed without a policy');
  return { determining, approvals: mergeApprovals(required) };
}

/** The detail of a denial by these policies, sorted. */
export function forbiddenBy(ids: readonly string[]): string {
  return `forbidden by ${ids.join(', ')}`;
}
