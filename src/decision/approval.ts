import { canonicalize, type Digest, digestOf } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';

/** How many distinct people of a role must consent. */
export interface ApprovalRequirement {
  readonly role: string;
  readonly threshold: number;
}

/** One verified statement of an approver about one action. */
export interface ApprovalFact {
  readonly actionDigest: Digest;
  readonly approver: string;
  readonly role: string;
  readonly decision: 'approve' | 'reject';
  readonly nbfSeconds: number;
  readonly expSeconds: number;
}

/**
 * Whether the consents cover the requirements: distinct people, the requesters excluded, any rejection wins
 * (DESIGN §5, approvals). An approval made for another action counts for nothing.
 */
export function checkApprovals(
  requirements: readonly ApprovalRequirement[],
  approvals: readonly ApprovalFact[],
  context: {
    readonly actionDigest: Digest;
    readonly requesters: readonly string[];
    readonly nowSeconds: number;
  },
): Denial | undefined {
  if (requirements.length === 0) return undefined;
  const { actionDigest, requesters, nowSeconds } = context;
  const relevant = approvals.filter(
    (fact) => fact.actionDigest === actionDigest && !requesters.includes(fact.approver),
  );
  if (relevant.some((fact) => fact.decision === 'reject')) {
    return deny('approval.rejected', 'an approver rejected this action');
  }
  let expired = false;
  for (const { role, threshold } of requirements) {
    const ofRole = relevant.filter((fact) => fact.role === role && fact.nbfSeconds <= nowSeconds);
    const people = new Set(
      ofRole.filter((fact) => nowSeconds < fact.expSeconds).map((fact) => fact.approver),
    );
    if (people.size >= threshold) continue;
    if (new Set(ofRole.map((fact) => fact.approver)).size >= threshold) {
      expired = true;
      continue;
    }
    return deny('approval.required', `${threshold} of role ${role} must approve, ${people.size} did`);
  }
  return expired ? deny('approval.expired', 'the approvals have expired') : undefined;
}

/** What an approval binds: exactly these arguments, this artifact and this policy. Not the proof, which is new each try. */
export function digestOfAction(
  tool: string,
  argsJcs: string,
  artifactDigest: Digest,
  policyDigest: Digest | undefined,
): Digest {
  const bound = { type: 'writ/action@v1', tool, arguments: digestOf(argsJcs), artifact: artifactDigest };
  return digestOf(canonicalize(policyDigest === undefined ? bound : { ...bound, policy: policyDigest }));
}
