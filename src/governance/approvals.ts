import type {
  ApprovalGivenMembers,
  ApprovalReviewedMembers,
  ApproverEnrolledMembers,
  ApproverRetiredMembers,
} from './approval-event.ts';
import {
  type ApprovalStatement,
  BREAK_GLASS,
  MAX_APPROVAL_SECONDS,
  MAX_BREAK_GLASS_SECONDS,
  MAX_REQUEST_SECONDS,
  type ReviewStatement,
  type StatementSignature,
  secondsOfUuidV7,
  statementBytes,
} from './approval-statement.ts';
import { findSignatureProblem, type ParsedApproverKey, parseApproverKey } from './statement-signature.ts';
import { VersionedMap } from './versioned-map.ts';

/** A key of an approver, and what may be consented as with it. */
export interface EnrolledApproverKey {
  readonly key: ParsedApproverKey;
  readonly roles: readonly string[];
}

export interface Approver {
  readonly subject: string;
  /** In order of enrolment. Empty when the approver is retired. */
  readonly keys: readonly EnrolledApproverKey[];
}

/** A statement whose signature was verified as it was recorded. */
export interface GivenApproval {
  readonly statement: ApprovalStatement;
  readonly signature: StatementSignature;
  /** The key that signed. */
  readonly keyThumbprint: string;
  /** Index of its entry in the governance log. */
  readonly index: number;
  readonly atSeconds: number;
}

export interface ApprovalReview {
  readonly statement: ReviewStatement;
  readonly index: number;
}

/** What the events' effects depend on beside what is in here. */
export interface ApprovalContext {
  readonly domain: string | undefined;
  /** Index of the event. */
  readonly index: number;
  readonly atSeconds: number;
}

interface Fields {
  readonly approvers: VersionedMap<Approver>;
  /** By thumbprint: the subject a key is enrolled for; none where it is retired. */
  readonly owners: VersionedMap<{ readonly subject: string | undefined }>;
  readonly byAction: VersionedMap<readonly GivenApproval[]>;
  readonly byNonce: VersionedMap<GivenApproval>;
  readonly breakGlass: VersionedMap<GivenApproval>;
  readonly reviews: VersionedMap<ApprovalReview>;
}

type Effect = (() => Approvals) | string;

const MAX_KEYS_PER_APPROVER = 16;
/** Approvals of one action that may be open at once: what a permit can spend in one transaction, with room to spare. */
const MAX_OPEN_PER_ACTION = 32;
/** Kept beyond that, so that a denial can say that what there was has expired. */
const MAX_EXPIRED_PER_ACTION = 8;
/** Clocks of approvers may be ahead of the authority's by this much. */
const MAX_AHEAD_SECONDS = 300;

/** Who may approve and what was approved, as the governance log has it. Immutable; signatures are verified on the way in. */
export class Approvals {
  static readonly empty = new Approvals({
    approvers: VersionedMap.empty(),
    owners: VersionedMap.empty(),
    byAction: VersionedMap.empty(),
    byNonce: VersionedMap.empty(),
    breakGlass: VersionedMap.empty(),
    reviews: VersionedMap.empty(),
  });

  readonly #fields: Fields;

  private constructor(fields: Fields) {
    this.#fields = fields;
    Object.freeze(this);
  }

  /** All approvers ever enrolled, in order of enrolment. */
  get approvers(): readonly Approver[] {
    return [...this.#fields.approvers.values()];
  }

  /** The approver, unless retired. */
  approver(subject: string): Approver | undefined {
    const approver = this.#fields.approvers.get(subject);
    return approver === undefined || approver.keys.length === 0 ? undefined : approver;
  }

  /** Whether a key is, or has been, an approver's. */
  knowsKey(thumbprint: string): boolean {
    return this.#fields.owners.get(thumbprint) !== undefined;
  }

  byNonce(nonce: string): GivenApproval | undefined {
    return this.#fields.byNonce.get(nonce);
  }

  review(nonce: string): ApprovalReview | undefined {
    return this.#fields.reviews.get(nonce);
  }

  /** Break-glass approvals that nobody has looked at yet, oldest first. */
  get unreviewed(): readonly GivenApproval[] {
    return [...this.#fields.breakGlass.values()].filter(
      ({ statement }) => this.review(statement.nonce) === undefined,
    );
  }

  /**
   * What was said about an action and stands: consent while its key is enrolled for that approver in that role, and every
   * rejection. Whether it is in time, and not spent, is another matter.
   */
  ofAction(actionDigest: string): readonly GivenApproval[] {
    const given = this.#fields.byAction.get(actionDigest) ?? [];
    return given.filter(
      ({ statement, keyThumbprint }) =>
        statement.decision === 'reject' || this.#mayConsent(statement, keyThumbprint),
    );
  }

  effectOfEnrolment({ subject, roles, key }: ApproverEnrolledMembers): Effect {
    const { approvers, owners } = this.#fields;
    const parsed = parseApproverKey(key);
    if (typeof parsed === 'string') return parsed;
    const owner = owners.get(parsed.thumbprint)?.subject;
    // A key that signs for two approvers would make two people of one.
    if (owner !== undefined) return `the key is already enrolled for ${owner}`;
    const keys = approvers.get(subject)?.keys ?? [];
    if (keys.length >= MAX_KEYS_PER_APPROVER) return `the approver already has ${MAX_KEYS_PER_APPROVER} keys`;
    const enrolled = Object.freeze({ key: parsed, roles: Object.freeze([...roles]) });
    return () =>
      this.#with({
        approvers: approvers.with(subject, approverOf(subject, [...keys, enrolled])),
        owners: owners.with(parsed.thumbprint, { subject }),
      });
  }

  effectOfRetirement({ subject, thumbprint }: ApproverRetiredMembers): Effect {
    const { approvers, owners } = this.#fields;
    const enrolled = approvers.get(subject)?.keys ?? [];
    const isRetired = ({ key }: EnrolledApproverKey) =>
      thumbprint === undefined || key.thumbprint === thumbprint;
    const retired = enrolled.filter(isRetired);
    if (retired.length === 0) return 'no such approver or key is enrolled';
    const kept = enrolled.filter((key) => !isRetired(key));
    return () =>
      this.#with({
        approvers: approvers.with(subject, approverOf(subject, kept)),
        owners: retired.reduce((left, { key }) => left.with(key.thumbprint, { subject: undefined }), owners),
      });
  }

  effectOfApproval({ statement, signature }: ApprovalGivenMembers, context: ApprovalContext): Effect {
    const problem = this.#findStatementProblem(statement, context);
    if (problem !== undefined) return problem;
    const signer = this.#findSigner(statement.approver, statementBytes(statement), signature);
    if (typeof signer === 'string') return signer;
    if (!signer.roles.includes(statement.role)) {
      return `${statement.approver} is not enrolled as ${statement.role} with this key`;
    }
    const { byAction, byNonce, breakGlass } = this.#fields;
    const given = byAction.get(statement.actionDigest) ?? [];
    const expired = given.filter((one) => isExpired(one, context.atSeconds));
    const open = given.filter((one) => !expired.includes(one));
    if (statement.decision === 'approve' && open.length >= MAX_OPEN_PER_ACTION) {
      return `the action has ${MAX_OPEN_PER_ACTION} open approvals already`;
    }
    const kept = [...expired.slice(-MAX_EXPIRED_PER_ACTION), ...open];
    const approval: GivenApproval = Object.freeze({
      statement: Object.freeze({ ...statement }),
      signature,
      keyThumbprint: signer.key.thumbprint,
      index: context.index,
      atSeconds: context.atSeconds,
    });
    return () =>
      this.#with({
        byAction: byAction.with(statement.actionDigest, Object.freeze([...kept, approval])),
        byNonce: byNonce.with(statement.nonce, approval),
        ...(statement.role === BREAK_GLASS ? { breakGlass: breakGlass.with(statement.nonce, approval) } : {}),
      });
  }

  effectOfReview({ statement, signature }: ApprovalReviewedMembers, context: ApprovalContext): Effect {
    const { nonce, reviewer, trustDomain } = statement;
    const { breakGlass, reviews } = this.#fields;
    if (trustDomain !== context.domain) return 'the review was signed for another trust domain';
    const approval = breakGlass.get(nonce);
    if (approval === undefined) return 'no break-glass approval has this nonce';
    if (reviews.get(nonce) !== undefined) return 'it has been reviewed already';
    if (approval.statement.approver === reviewer) return 'whoever broke the glass does not review it';
    const signer = this.#findSigner(reviewer, statementBytes(statement), signature);
    if (typeof signer === 'string') return signer;
    const review = Object.freeze({ statement: Object.freeze({ ...statement }), index: context.index });
    return () => this.#with({ reviews: reviews.with(nonce, review) });
  }

  #findStatementProblem(
    {
      trustDomain,
      request,
      role,
      decision,
      reason,
      nbf,
      exp,
      nonce,
      approver,
      actionDigest,
    }: ApprovalStatement,
    { domain, atSeconds }: ApprovalContext,
  ): string | undefined {
    if (trustDomain !== domain) return 'the approval was signed for another trust domain';
    if (this.byNonce(nonce) !== undefined) return 'the approval is on record already';
    if (atSeconds > secondsOfUuidV7(request) + MAX_REQUEST_SECONDS) return 'the request has expired';
    if (!(nbf < exp && nbf <= atSeconds + MAX_AHEAD_SECONDS && atSeconds < exp)) {
      return 'the approval does not hold now';
    }
    const isBreakGlass = role === BREAK_GLASS;
    const longest = isBreakGlass ? MAX_BREAK_GLASS_SECONDS : MAX_APPROVAL_SECONDS;
    if (exp - nbf > longest) return `the approval holds longer than ${longest} s`;
    if (isBreakGlass && (decision !== 'approve' || (reason ?? '') === '')) {
      return 'breaking the glass takes a reason';
    }
    const given = this.#fields.byAction.get(actionDigest) ?? [];
    const isRejected = given.some(
      ({ statement }) => statement.decision === 'reject' && statement.approver === approver,
    );
    return isRejected ? 'the approver has rejected this action' : undefined;
  }

  #findSigner(
    subject: string,
    bytes: Uint8Array,
    signature: StatementSignature,
  ): EnrolledApproverKey | string {
    const approver = this.approver(subject);
    if (approver === undefined) return `${subject} is not enrolled as an approver`;
    let problem = '';
    for (const enrolled of approver.keys) {
      const found = findSignatureProblem(bytes, signature, enrolled.key);
      if (found === undefined) return enrolled;
      problem ||= found;
    }
    return `the signature is not one of ${subject}: ${problem}`;
  }

  #mayConsent({ approver, role }: ApprovalStatement, thumbprint: string): boolean {
    const keys = this.approver(approver)?.keys ?? [];
    return keys.some(({ key, roles }) => key.thumbprint === thumbprint && roles.includes(role));
  }

  #with(changes: Partial<Fields>): Approvals {
    return new Approvals({ ...this.#fields, ...changes });
  }
}

function isExpired({ statement }: GivenApproval, atSeconds: number): boolean {
  return statement.decision === 'approve' && statement.exp <= atSeconds;
}

function approverOf(subject: string, keys: readonly EnrolledApproverKey[]): Approver {
  return Object.freeze({ subject, keys: Object.freeze(keys) });
}
