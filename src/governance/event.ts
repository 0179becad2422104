import { z } from 'zod';
import { canonicalize, type Digest, type JsonObject, parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type PublicJwk, parsePublicJwk } from '../key/index.ts';
import {
  APPROVAL_EVENTS,
  type ApprovalGivenMembers,
  type ApprovalReviewedMembers,
  type ApproverEnrolledMembers,
  type ApproverRetiredMembers,
} from './approval-event.ts';
import {
  ENVIRONMENT_EVENTS,
  type EnvironmentEnrolledMembers,
  type EnvironmentRetiredMembers,
} from './environment-event.ts';
import {
  digest,
  executionId,
  jwk,
  logOrigin,
  reason,
  seconds,
  text,
  thumbprint,
  tokenHash,
  tokenId,
  trustDomain,
  uri,
  vkey,
} from './event-fields.ts';

export const GOVERNANCE_EVENT = 'writ/governance@v1';

/** Longest entry of a C2SP entry bundle. */
const MAX_EVENT_BYTES = 65_535;

/** What a revocation can name (spec/governance.md §3). */
export type RevocationHandle = 'token' | 'holder' | 'subject' | 'issuer' | 'policy' | 'environment';

type Event<Name extends string, Members> = {
  readonly type: typeof GOVERNANCE_EVENT;
  readonly event: Name;
  /** Unix seconds, as the authority's clock had it; the order of events is the order of the log. */
  readonly at: number;
  /** Who did it, one line; a SPIFFE ID where there is one. */
  readonly actor: string;
} & Members;

export type DomainCreated = Event<'domain.created', { readonly name: string }>;
export type AnchorAdded = Event<'anchor.added', { readonly iss: string; readonly jwk: PublicJwk }>;
export type AnchorRetired = Event<'anchor.retired', { readonly iss: string; readonly thumbprint: string }>;
export type AgentEnrolled = Event<'agent.enrolled', { readonly subject: string; readonly jwk: PublicJwk }>;
/** Without a thumbprint, all keys of the subject are retired. */
export type AgentRetired = Event<'agent.retired', { readonly subject: string; readonly thumbprint?: string }>;
export type LogEnrolled = Event<'log.enrolled', { readonly origin: string; readonly vkey: string }>;
export type PolicyPublished = Event<'policy.published', { readonly id: string; readonly digest: Digest }>;
export type ArtifactIssued = Event<
  'artifact.issued',
  {
    readonly jti: string;
    /** base64url SHA-256 of the token's signing input. */
    readonly hash: string;
    readonly iss: string;
    /** Thumbprint of the holder key. */
    readonly holder: string;
    readonly initiator?: string;
    /** Unix seconds. */
    readonly exp: number;
  }
>;
export type Revoked = Event<
  'revoked',
  { readonly handle: RevocationHandle; readonly value: string; readonly reason?: string }
>;

/**
 * The sealed requests of these executions, or of every decision before that index, are erased from an execution log's
 * evidence store. Exactly one of the two is given.
 */
export type EvidenceErased = Event<
  'evidence.erased',
  {
    /** Origin of the execution log. */
    readonly log: string;
    readonly executions?: readonly string[];
    /** Index of an entry: what stands before it is erased. */
    readonly beforeIndex?: number;
    readonly reason: string;
  }
>;

/** What a caller of the domain's API may do (spec/administration.md). */
export const ROLES = ['operator', 'approver', 'auditor', 'enforcement-point'] as const;
export type Role = (typeof ROLES)[number];

/** A bearer token of the API: whoever presents what hashes to this is the caller. */
export type CallerAdmitted = Event<
  'caller.admitted',
  {
    readonly caller: string;
    readonly role: Role;
    /** base64url SHA-256 of the token. */
    readonly hash: string;
    /** Unix seconds. */
    readonly exp?: number;
  }
>;
/** Without a hash, all tokens of the caller are dismissed. */
export type CallerDismissed = Event<'caller.dismissed', { readonly caller: string; readonly hash?: string }>;
/** Somebody may consent to actions, in these roles, with this key (spec/governance.md §5). */
export type ApproverEnrolled = Event<'approver.enrolled', ApproverEnrolledMembers>;
/** Without a thumbprint, all keys of the subject are retired. */
export type ApproverRetired = Event<'approver.retired', ApproverRetiredMembers>;
export type ApprovalGiven = Event<'approval.given', ApprovalGivenMembers>;
/** Somebody else has looked at a break-glass approval. */
export type ApprovalReviewed = Event<'approval.reviewed', ApprovalReviewedMembers>;
/** A runtime as an operator knew it, under a name; with the TPM whose quotes count, where it has one. */
export type EnvironmentEnrolled = Event<'environment.enrolled', EnvironmentEnrolledMembers>;
export type EnvironmentRetired = Event<'environment.retired', EnvironmentRetiredMembers>;

export type GovernanceEvent =
  | DomainCreated
  | AnchorAdded
  | AnchorRetired
  | AgentEnrolled
  | AgentRetired
  | LogEnrolled
  | PolicyPublished
  | ArtifactIssued
  | Revoked
  | EvidenceErased
  | CallerAdmitted
  | CallerDismissed
  | ApproverEnrolled
  | ApproverRetired
  | ApprovalGiven
  | ApprovalReviewed
  | EnvironmentEnrolled
  | EnvironmentRetired;

function event<Name extends string, Members extends z.ZodRawShape>(name: Name, members: Members) {
  return z.strictObject({
    type: z.literal(GOVERNANCE_EVENT),
    event: z.literal(name),
    at: seconds,
    actor: text,
    ...members,
  });
}

/** The form of the value follows from the handle. */
const REVOCABLE = {
  token: tokenId,
  holder: thumbprint,
  subject: uri,
  issuer: z.union([uri, thumbprint]),
  policy: digest,
  environment: digest,
} satisfies Record<RevocationHandle, z.ZodType<string>>;

const revoked = event('revoked', {
  handle: z.enum(['token', 'holder', 'subject', 'issuer', 'policy', 'environment']),
  value: z.string(),
  reason: reason.exactOptional(),
}).refine(({ handle, value }) => REVOCABLE[handle].safeParse(value).success);

/** So many execution ids fit one entry. */
export const MAX_ERASED_EXECUTIONS = 1000;

const evidenceErased = event('evidence.erased', {
  log: logOrigin,
  executions: z.array(executionId).min(1).max(MAX_ERASED_EXECUTIONS).exactOptional(),
  beforeIndex: z.int().min(1).exactOptional(),
  reason,
}).refine(({ executions, beforeIndex }) => (executions === undefined) !== (beforeIndex === undefined));

const schema: z.ZodType<GovernanceEvent> = z.discriminatedUnion('event', [
  event('domain.created', { name: trustDomain }),
  event('anchor.added', { iss: uri, jwk }),
  event('anchor.retired', { iss: uri, thumbprint }),
  event('agent.enrolled', { subject: uri, jwk }),
  event('agent.retired', { subject: uri, thumbprint: thumbprint.exactOptional() }),
  event('log.enrolled', { origin: logOrigin, vkey }),
  event('policy.published', { id: text, digest }),
  event('artifact.issued', {
    jti: tokenId,
    hash: tokenHash,
    iss: uri,
    holder: thumbprint,
    initiator: uri.exactOptional(),
    exp: seconds,
  }),
  revoked,
  evidenceErased,
  event('caller.admitted', {
    caller: uri,
    role: z.enum(ROLES),
    hash: tokenHash,
    exp: seconds.exactOptional(),
  }),
  event('caller.dismissed', { caller: uri, hash: tokenHash.exactOptional() }),
  event('approver.enrolled', APPROVAL_EVENTS['approver.enrolled']),
  event('approver.retired', APPROVAL_EVENTS['approver.retired']),
  event('approval.given', APPROVAL_EVENTS['approval.given']),
  event('approval.reviewed', APPROVAL_EVENTS['approval.reviewed']),
  event('environment.enrolled', ENVIRONMENT_EVENTS['environment.enrolled']),
  event('environment.retired', ENVIRONMENT_EVENTS['environment.retired']),
]);

/**
 * Parses an entry of the governance log, strictly: an event or a member that this version does not know may restrict
 * something, so what it means cannot be guessed. An entry that is not its own JCS form is refused as well: one event,
 * one spelling. Denies with `revocation.stale`, since without it the state cannot be established.
 */
export function parseGovernanceEvent(entry: Uint8Array): GovernanceEvent | Denial {
  const json = parseJsonObject(entry, 'revocation.stale', { maxBytes: MAX_EVENT_BYTES, maxDepth: 4 });
  if (isDenial(json)) return deny(json.code, `governance event: ${json.detail}`);
  const event = checkEvent(json);
  if (isDenial(event)) return event;
  return Buffer.from(canonicalize(json), 'utf8').equals(entry)
    ? event
    : deny('revocation.stale', 'governance event: not in canonical form');
}

/** The entry of an event: its JCS bytes. Throws `TypeError` for an event that would not parse. */
export function serializeGovernanceEvent(event: GovernanceEvent): Uint8Array {
  const checked = checkEvent(event);
  if (isDenial(checked)) throw new TypeError(checked.detail);
  const entry = Buffer.from(canonicalize(checked as unknown as JsonObject), 'utf8');
  if (entry.byteLength > MAX_EVENT_BYTES) throw new TypeError('governance event: too large');
  return entry;
}

function checkEvent(value: object): GovernanceEvent | Denial {
  const result = schema.safeParse(value);
  if (!result.success) return refuse(problemOf(result.error));
  const event = result.data;
  // The schema sees the spelling of a key; whether it is a point one may use is for the key's own parser.
  const key = 'jwk' in event ? parsePublicJwk(event.jwk, 'revocation.stale') : undefined;
  return isDenial(key) ? refuse(key.detail) : event;
}

function problemOf({ issues: [issue] }: z.ZodError): string {
  const path = issue?.path.join('.') ?? '';
  const where = path === '' ? '' : `${path}: `;
  if (issue?.code === 'unrecognized_keys') return `${where}unknown member`;
  return `${where}${issue?.code === 'invalid_union' ? 'unknown event' : 'malformed'}`;
}

function refuse(problem: string): Denial {
  return deny('revocation.stale', `governance event: ${problem}`);
}
