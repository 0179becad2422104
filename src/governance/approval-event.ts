import { z } from 'zod';
import type { JsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { parseSshPublicKey } from '../key/index.ts';
import type { SaltedDigest } from '../receipt/index.ts';
import {
  APPROVAL,
  APPROVAL_REVIEW,
  type ApprovalStatement,
  type ReviewStatement,
  type StatementSignature,
} from './approval-statement.ts';
import { digest, executionId, reason, seconds, thumbprint, trustDomain, uri } from './event-fields.ts';

/** The public key of a WebAuthn credential, as a JWK of exactly the thumbprint's members. */
export type CredentialJwk =
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'RSA'; readonly n: string; readonly e: 'AQAB' };

/** What an approver signs with. */
export type ApproverKey =
  | {
      readonly kind: 'ssh';
      /** `ssh-ed25519 AAAA…`: algorithm and base64, nothing else. */
      readonly key: string;
    }
  | {
      readonly kind: 'webauthn';
      /** base64url. */
      readonly credentialId: string;
      readonly jwk: CredentialJwk;
      /** The relying party and the one origin that assertions are accepted for. */
      readonly rpId: string;
      readonly origin: string;
    };

export interface ApproverEnrolledMembers {
  readonly subject: string;
  /** What the approver may consent as, with this key. */
  readonly roles: readonly string[];
  readonly key: ApproverKey;
}

export interface ApproverRetiredMembers {
  readonly subject: string;
  /** One key; without it, all of the subject. */
  readonly thumbprint?: string;
}

export interface ApprovalGivenMembers {
  readonly statement: ApprovalStatement;
  readonly signature: StatementSignature;
}

export interface ApprovalReviewedMembers {
  readonly statement: ReviewStatement;
  readonly signature: StatementSignature;
}

const MAX_ROLES = 16;
const MAX_SIGNATURE_CHARACTERS = 12_000;
const MAX_CREDENTIAL_CHARACTERS = 1400;
const MAX_NAME_CHARACTERS = 256;

/** As policies name roles (`src/policy/approval.ts`). */
const role = z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/);
const base64url = z
  .string()
  .min(1)
  .max(MAX_SIGNATURE_CHARACTERS)
  .refine((value) => Buffer.from(value, 'base64url').toString('base64url') === value);
const saltedDigest = z.custom<SaltedDigest>(
  (value) => typeof value === 'string' && /^salted-sha256:[0-9a-f]{64}$/.test(value),
);
const nonce = z.string().regex(/^[A-Za-z0-9_-]{22,64}$/);

const sshKey = z
  .string()
  .max(MAX_SIGNATURE_CHARACTERS)
  .refine((value) => {
    const key = parseSshPublicKey(value);
    return !isDenial(key) && key.text === value;
  });

const credentialJwk = z.union([
  z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: thumbprint }),
  z.strictObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: thumbprint, y: thumbprint }),
  z.strictObject({ kty: z.literal('RSA'), n: base64url.max(1400), e: z.literal('AQAB') }),
]);

const approverKey = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ssh'), key: sshKey }),
  z.strictObject({
    kind: z.literal('webauthn'),
    credentialId: base64url.max(MAX_CREDENTIAL_CHARACTERS),
    jwk: credentialJwk,
    rpId: z
      .string()
      .max(MAX_NAME_CHARACTERS)
      .regex(/^[a-z0-9.-]+$/),
    origin: z
      .string()
      .max(MAX_NAME_CHARACTERS)
      .regex(/^https?:\/\/[a-z0-9.-]+(?::\d{1,5})?$/),
  }),
]);

const signature = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ssh'), signature: base64url }),
  z.strictObject({
    kind: z.literal('webauthn'),
    credentialId: base64url.max(MAX_CREDENTIAL_CHARACTERS),
    authenticatorData: base64url,
    clientDataJSON: base64url,
    signature: base64url,
  }),
]);

const approvalStatement = z.strictObject({
  type: z.literal(APPROVAL),
  trustDomain,
  request: executionId,
  actionDigest: saltedDigest,
  artifactDigest: digest,
  policyDigest: digest,
  approver: uri,
  role,
  decision: z.enum(['approve', 'reject']),
  reason: reason.exactOptional(),
  nbf: seconds,
  exp: seconds,
  nonce,
});

const reviewStatement = z.strictObject({
  type: z.literal(APPROVAL_REVIEW),
  trustDomain,
  nonce,
  reviewer: uri,
  finding: reason.min(1),
  at: seconds,
});

/** Members of each event about approvals, beside those that every event has. */
export const APPROVAL_EVENTS = {
  'approver.enrolled': {
    subject: uri,
    roles: z
      .array(role)
      .min(1)
      .max(MAX_ROLES)
      .refine((roles) => new Set(roles).size === roles.length),
    key: approverKey,
  },
  'approver.retired': { subject: uri, thumbprint: thumbprint.exactOptional() },
  'approval.given': { statement: approvalStatement, signature },
  'approval.reviewed': { statement: reviewStatement, signature },
} as const;

/** A statement that somebody hands over to be recorded. Its digests and its signature are another matter. */
export function parseApprovalStatement(json: JsonObject): ApprovalStatement | Denial {
  const parsed = approvalStatement.safeParse(json);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') || 'it';
  return deny('request.malformed', `the statement is none: ${where} is not as documented`);
}

/** Whether text is a role an approver can be enrolled in. */
export function isRole(value: string): boolean {
  return role.safeParse(value).success;
}

/** Whether text can stand as a reason or finding: one line of printable characters. */
export function isReasonText(value: string): boolean {
  return reason.min(1).safeParse(value).success;
}
