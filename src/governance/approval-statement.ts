import { canonicalize, type Digest, type JsonObject } from '../codec/index.ts';
import type { SaltedDigest } from '../receipt/index.ts';

export const APPROVAL = 'writ/approval@v1';
export const APPROVAL_REVIEW = 'writ/approval-review@v1';

/** What `ssh-keygen -Y sign -n` is given: a signature made for something else is no approval. */
export const APPROVAL_NAMESPACE = 'writ-approval@v1';

/** Whoever has this role may consent alone where approvals are asked for, for minutes, with a reason, and is reviewed. */
export const BREAK_GLASS = 'break-glass';

/** A request can be decided for so long after the denial that made it, whatever anybody signs. */
export const MAX_REQUEST_SECONDS = 86_400;
/** How long after the denial that made it a request waits for its approvers. */
export const REQUEST_SECONDS = 900;
/** The longest an approval holds. */
export const MAX_APPROVAL_SECONDS = 86_400;
export const MAX_BREAK_GLASS_SECONDS = 900;

/** What an approver signs (spec/governance.md §5): one action of one request, in one trust domain, in one role. */
export interface ApprovalStatement {
  readonly type: typeof APPROVAL;
  readonly trustDomain: string;
  /** Execution id of the denial that asked. */
  readonly request: string;
  /** Digest of exactly these arguments, this artifact, this policy and this enforcement point, keyed (spec/receipt.md §4). */
  readonly actionDigest: SaltedDigest;
  readonly artifactDigest: Digest;
  readonly policyDigest: Digest;
  /** Subject the approver is enrolled under. */
  readonly approver: string;
  readonly role: string;
  readonly decision: 'approve' | 'reject';
  readonly reason?: string;
  /** Unix seconds: it holds from `nbf` up to, not at, `exp`. */
  readonly nbf: number;
  readonly exp: number;
  /** 16 random bytes or more, base64url: the approval's name, and what makes it single. */
  readonly nonce: string;
}

/** What the reviewer of a break-glass approval signs. */
export interface ReviewStatement {
  readonly type: typeof APPROVAL_REVIEW;
  readonly trustDomain: string;
  /** The approval that was looked at. */
  readonly nonce: string;
  readonly reviewer: string;
  /** What came out of it. */
  readonly finding: string;
  /** Unix seconds. */
  readonly at: number;
}

/** A signature over a statement's bytes. Members are base64url. */
export type StatementSignature =
  | {
      readonly kind: 'ssh';
      /** The SSHSIG blob, without its armour. */
      readonly signature: string;
    }
  | {
      readonly kind: 'webauthn';
      readonly credentialId: string;
      readonly authenticatorData: string;
      readonly clientDataJSON: string;
      readonly signature: string;
    };

/** The bytes that are signed: JCS. A WebAuthn challenge is their SHA-256. */
export function statementBytes(statement: ApprovalStatement | ReviewStatement): Uint8Array {
  return Buffer.from(canonicalize(statement as unknown as JsonObject), 'utf8');
}

/** When a UUIDv7 was made (RFC 9562 §5.7), whole Unix seconds. */
export function secondsOfUuidV7(id: string): number {
  return Math.floor(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16) / 1000);
}
