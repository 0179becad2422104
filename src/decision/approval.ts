import { canonicalize, type Digest } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import { bySubject, type PersonOf } from '../governance/index.ts';
import type { SaltedDigest } from '../receipt/index.ts';
import { assignPeople, findVacancies } from './assign-people.ts';

/** How many distinct people of a role must consent. */
export interface ApprovalRequirement {
  readonly role: string;
  readonly threshold: number;
  /** How long after it was made a request may be decided and used, where that is less than usual. */
  readonly withinSeconds?: number;
}

/** One statement of an approver about the action at hand, its signature verified, and not spent by another execution. */
export interface ApprovalFact {
  /** The statement's own name: a permit spends it. */
  readonly nonce: string;
  readonly approver: string;
  readonly role: string;
  readonly decision: 'approve' | 'reject';
  readonly nbfSeconds: number;
  readonly expSeconds: number;
  /** When the request was made that it answers. */
  readonly requestedAtSeconds: number;
  /** Thumbprint of the key that signed. */
  readonly keyThumbprint: string;
}

/** What was said about one action. */
export interface ApprovalsOfAction {
  /** Digest of the action's canonical form, keyed so that nobody can test guesses of what it is. */
  readonly actionDigest: SaltedDigest;
  readonly given: readonly ApprovalFact[];
}

/** What stage 9 went by, for the receipt. */
export interface ApprovalFindings {
  readonly actionDigest: SaltedDigest;
  /** Who counted as one person; undefined where each name did by itself. */
  readonly people: 'same-name' | undefined;
  /** Each role once, with the most people that anything asks for, in order of role. */
  readonly required: readonly ApprovalRequirement[];
  /** The shortest time that anything gives a request; undefined for the usual one. */
  readonly withinSeconds: number | undefined;
  /** What counted for or against; a permit spends the consents among it. In order of nonce. */
  readonly given: readonly ApprovalFact[];
}

/** An approver with this role stands in for all others (DESIGN §5, break-glass). */
const BREAK_GLASS = 'break-glass';

/** Who asks, by name and by key. None of them approves. */
export interface Requesters {
  readonly subjects: readonly string[];
  readonly keyThumbprints: readonly string[];
  /** Who had the artifact issued, where that is on record: does not consent either, whoever it is said to be for. */
  readonly issuedBy?: string | undefined;
}

/** Every role asked for, each with its highest threshold. */
export function mergeRequirements(requirements: readonly ApprovalRequirement[]): ApprovalRequirement[] {
  const thresholds = new Map<string, number>();
  for (const { role, threshold } of requirements) {
    // A threshold that is no number asks for more people than there can be.
    const asked = threshold >= 1 ? threshold : Number.MAX_SAFE_INTEGER;
    thresholds.set(role, Math.max(asked, thresholds.get(role) ?? 0));
  }
  return [...thresholds]
    .map(([role, threshold]) => ({ role, threshold }))
    .sort((left, right) => (left.role < right.role ? -1 : 1));
}

/** The shortest time that any of them gives a request. */
export function tightestWithin(requirements: readonly ApprovalRequirement[]): number | undefined {
  const given = requirements.flatMap(({ withinSeconds }) => withinSeconds ?? []);
  return given.length === 0 ? undefined : Math.min(...given);
}

/**
 * What was said by others than those who ask, in order of nonce. A rejection counts unless it is by who asks under that very name:
 * being one person with them takes consent away, and nothing else.
 */
export function approvalsOfOthers(
  given: readonly ApprovalFact[],
  { subjects, keyThumbprints, issuedBy }: Requesters,
  personOf: PersonOf = bySubject,
): ApprovalFact[] {
  const people = new Set([...subjects, ...(issuedBy === undefined ? [] : [issuedBy])].map(personOf));
  return given
    .filter(
      ({ approver, keyThumbprint, decision }) =>
        !subjects.includes(approver) &&
        !keyThumbprints.includes(keyThumbprint) &&
        (decision === 'reject' || !people.has(personOf(approver))),
    )
    .sort((left, right) => (left.nonce < right.nonce ? -1 : 1));
}

/**
 * Whether the consents cover the requirements: any rejection wins; each role has its number of people, and nobody counts
 * for two roles; or one person with the break-glass role consents (DESIGN §5, approvals).
 *
 * @param given of people who do not ask themselves, about this action.
 */
export function checkApprovals(
  requirements: readonly ApprovalRequirement[],
  given: readonly ApprovalFact[],
  nowSeconds: number,
  withinSeconds = Number.POSITIVE_INFINITY,
  personOf: PersonOf = bySubject,
): Denial | undefined {
  if (requirements.length === 0) return undefined;
  if (given.some(({ decision }) => decision === 'reject')) {
    return deny('approval.rejected', 'an approver rejected this action');
  }
  const begun = given.filter(({ nbfSeconds }) => nbfSeconds <= nowSeconds);
  const standing = begun.filter((fact) => isInTime(fact, nowSeconds, withinSeconds));
  const missing = findMissing(requirements, standing, personOf);
  if (missing === undefined) return undefined;
  if (findMissing(requirements, begun, personOf) === undefined) {
    return deny('approval.expired', 'the approvals have expired');
  }
  const { role, threshold } = missing;
  return deny('approval.required', `${threshold} of role ${role} must approve`);
}

/** How many people more must consent, by role; empty where nobody is needed any more. A rejection is another matter. */
export function missingApprovals(
  requirements: readonly ApprovalRequirement[],
  given: readonly ApprovalFact[],
  nowSeconds: number,
  withinSeconds = Number.POSITIVE_INFINITY,
  personOf: PersonOf = bySubject,
): { readonly role: string; readonly people: number }[] {
  const standing = given.filter(
    (fact) =>
      fact.decision === 'approve' &&
      fact.nbfSeconds <= nowSeconds &&
      isInTime(fact, nowSeconds, withinSeconds),
  );
  if (standing.some(({ role }) => role === BREAK_GLASS)) return [];
  return findVacancies(requirements, consentsOf(standing, personOf)).map(
    ({ requirement: { role }, people }) => ({ role, people }),
  );
}

function isInTime(
  { expSeconds, requestedAtSeconds }: ApprovalFact,
  nowSeconds: number,
  withinSeconds: number,
): boolean {
  return nowSeconds < Math.min(expSeconds, requestedAtSeconds + withinSeconds);
}

/** A requirement for which there are not enough people; undefined where all are met. */
function findMissing(
  requirements: readonly ApprovalRequirement[],
  given: readonly ApprovalFact[],
  personOf: PersonOf,
): ApprovalRequirement | undefined {
  if (given.some(({ role }) => role === BREAK_GLASS)) return undefined;
  return assignPeople(requirements, consentsOf(given, personOf));
}

function consentsOf(given: readonly ApprovalFact[], personOf: PersonOf) {
  return given.map(({ approver, role }) => ({ approver: personOf(approver), role }));
}

/**
 * What an approval binds, as JCS: exactly these arguments, this artifact, this policy and this enforcement point, which keeps
 * the memory of what is spent. Not the proof, which is new on each try.
 */
export function canonicalAction(action: {
  readonly tool: string;
  readonly argsJcs: string;
  readonly artifactDigest: Digest;
  readonly policyDigest: Digest;
  readonly audience: string;
}): string {
  const { tool, argsJcs, artifactDigest, policyDigest, audience } = action;
  return canonicalize({
    type: 'writ/action@v1',
    tool: tool.toWellFormed(),
    arguments: argsJcs,
    artifact: artifactDigest,
    policy: policyDigest,
    audience,
  });
}
