import type { TrustAnchor } from '../artifact/index.ts';
import type { Digest } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { type PublicJwk, parsePublicJwk, type VerificationKey } from '../key/index.ts';
import { type ApprovalEvent, Approvals, type GivenApproval } from './approvals.ts';
import { type ApiToken, admission, dismissal } from './callers.ts';
import { type EnrolledEnvironment, environmentEnrolment, environmentRetirement } from './environments.ts';
import type {
  AgentEnrolled,
  AgentRetired,
  ApprovalReviewed,
  ArtifactIssued,
  GovernanceEvent,
  RevocationHandle,
  Revoked,
} from './event.ts';
import { bySameName } from './person.ts';
import type { Revocation, RevocationHandles } from './revocation.ts';
import { VersionedMap } from './versioned-map.ts';

/** A subject and the keys that speak for it now. */
export interface Agent {
  /** URI, a SPIFFE ID where there is one. */
  readonly subject: string;
  /** In order of enrolment. Empty when the agent is retired. */
  readonly keys: readonly VerificationKey[];
}

/** A log whose receipts the domain accepts, and the keys its checkpoints may be signed with. */
export interface EnrolledLog {
  readonly origin: string;
  readonly vkeys: readonly string[];
}

export interface ActivePolicy {
  readonly id: string;
  readonly digest: Digest;
}

/** A key that was ever enrolled: whose it is now, and whose it has been. */
interface KeyHistory {
  readonly subject: string | undefined;
  readonly subjects: readonly string[];
}

interface Fields {
  readonly epoch: number;
  readonly domain: string | undefined;
  readonly anchors: readonly TrustAnchor[];
  readonly policy: ActivePolicy | undefined;
  readonly agents: VersionedMap<Agent>;
  readonly keys: VersionedMap<KeyHistory>;
  readonly logs: VersionedMap<EnrolledLog>;
  readonly issued: VersionedMap<ArtifactIssued>;
  readonly revocations: VersionedMap<Revocation>;
  readonly apiTokens: VersionedMap<ApiToken>;
  readonly approvals: Approvals;
  readonly environments: VersionedMap<EnrolledEnvironment>;
}

const MAX_KEYS_PER_SUBJECT = 64;

/**
 * What the governance log says, up to an entry. Immutable; a function of the entries alone. Every well-formed event has
 * an effect or, where it conflicts with what came before, none: {@link findConflict} tells which, before it is appended.
 */
export class GovernanceState {
  static readonly empty = new GovernanceState({
    epoch: 0,
    domain: undefined,
    anchors: Object.freeze([]),
    policy: undefined,
    agents: VersionedMap.empty(),
    keys: VersionedMap.empty(),
    logs: VersionedMap.empty(),
    issued: VersionedMap.empty(),
    revocations: VersionedMap.empty(),
    apiTokens: VersionedMap.empty(),
    approvals: Approvals.empty,
    environments: VersionedMap.empty(),
  });

  /** Number of entries folded: the size of the log. */
  readonly epoch: number;
  /** Name of the trust domain. */
  readonly domain: string | undefined;
  /** In order of addition; several keys of one issuer while it rotates. The same array until it changes. */
  readonly anchors: readonly TrustAnchor[];
  /** The last one published. */
  readonly policy: ActivePolicy | undefined;
  /** Who may approve, and what was approved. */
  readonly approvals: Approvals;
  readonly #fields: Fields;

  private constructor(fields: Fields) {
    this.epoch = fields.epoch;
    this.domain = fields.domain;
    this.anchors = fields.anchors;
    this.policy = fields.policy;
    this.approvals = fields.approvals;
    this.#fields = fields;
    Object.freeze(this);
  }

  /** All agents ever enrolled, in order of enrolment; a retired one has no keys. */
  get agents(): readonly Agent[] {
    return [...this.#fields.agents.values()];
  }

  /** All ever enrolled, in order of enrolment. */
  get environments(): readonly EnrolledEnvironment[] {
    return [...this.#fields.environments.values()];
  }

  /** The environment of a name, unless it is retired. */
  environmentByName(name: string): EnrolledEnvironment | undefined {
    const enrolled = this.#fields.environments.get(name);
    return enrolled === undefined || enrolled.isRetired ? undefined : enrolled;
  }

  /** In order of enrolment. */
  get logs(): readonly EnrolledLog[] {
    return [...this.#fields.logs.values()];
  }

  /** In order of the log. */
  get revocations(): readonly Revocation[] {
    return [...this.#fields.revocations.values()];
  }

  /** In order of the log. */
  get issuedArtifacts(): readonly ArtifactIssued[] {
    return [...this.#fields.issued.values()];
  }

  /** All tokens ever admitted to the API, in order; dismissed and expired ones too. */
  get apiTokens(): readonly ApiToken[] {
    return [...this.#fields.apiTokens.values()];
  }

  /** By the SHA-256 of a token, base64url. Whether it has expired is for whoever knows the time. */
  apiToken(hash: string): ApiToken | undefined {
    return this.#fields.apiTokens.get(hash);
  }

  /** The agent, unless it is retired. */
  agentBySubject(subject: string): Agent | undefined {
    const agent = this.#fields.agents.get(subject);
    return agent === undefined || agent.keys.length === 0 ? undefined : agent;
  }

  /** The agent a key speaks for now. */
  agentByThumbprint(thumbprint: string): Agent | undefined {
    const subject = this.#fields.keys.get(thumbprint)?.subject;
    return subject === undefined ? undefined : this.agentBySubject(subject);
  }

  /** Every subject a key has been enrolled for, retired or not. */
  subjectsOf(thumbprint: string): readonly string[] {
    return this.#fields.keys.get(thumbprint)?.subjects ?? [];
  }

  logByOrigin(origin: string): EnrolledLog | undefined {
    return this.#fields.logs.get(origin);
  }

  /** A root token that was issued in this domain. */
  issuedArtifact(jti: string): ArtifactIssued | undefined {
    return this.#fields.issued.get(jti);
  }

  /** What was said about an action and stands: no consent of somebody who is revoked does. */
  approvalsOf(actionDigest: string): readonly GivenApproval[] {
    const { revocations } = this.#fields;
    return this.approvals
      .ofAction(actionDigest)
      .filter(
        ({ statement: { approver, decision } }) =>
          decision === 'reject' || revocations.get(revocationKey('subject', approver)) === undefined,
      );
  }

  /** The earliest revocation of any of these. */
  findRevocation(handles: RevocationHandles): Revocation | undefined {
    const { revocations } = this.#fields;
    if (revocations.isEmpty) return undefined;
    const values: Readonly<Record<RevocationHandle, readonly string[]>> = {
      token: handles.tokens,
      holder: handles.holders,
      subject: handles.subjects,
      issuer: handles.issuers,
      policy: handles.policyDigest === undefined ? [] : [handles.policyDigest],
      environment: handles.environmentDigest === undefined ? [] : [handles.environmentDigest],
    };
    let earliest: Revocation | undefined;
    for (const handle of HANDLES) {
      for (const value of values[handle]) {
        const found = revocations.get(revocationKey(handle, value));
        if (found !== undefined && (earliest === undefined || found.index < earliest.index)) earliest = found;
      }
    }
    return earliest;
  }

  /**
   * Why an event would change nothing here, or is no longer taken although it would; undefined where neither is so. For whoever
   * is about to append it.
   */
  findConflict(event: GovernanceEvent): string | undefined {
    const next = this.#effectOf(event);
    if (typeof next === 'string') return next;
    // Not in the fold: what was recorded before names were compared has the effect that it had then.
    return event.event === 'approval.reviewed' ? this.#findOwnReview(event) : undefined;
  }

  /** The state after one more entry. Throws `TypeError` for an event that would not parse. */
  apply(event: GovernanceEvent): GovernanceState {
    const effect = this.#effectOf(event);
    const changes = typeof effect === 'string' ? {} : effect();
    return new GovernanceState({ ...this.#fields, ...changes, epoch: this.epoch + 1 });
  }

  #findOwnReview({ statement: { nonce, reviewer } }: ApprovalReviewed): string | undefined {
    const personOf = bySameName(this.domain);
    const approver = this.approvals.byNonce(nonce)?.statement.approver;
    return approver !== undefined && personOf(approver) === personOf(reviewer)
      ? `whoever broke the glass, as ${approver}, does not review it`
      : undefined;
  }

  /** What an event changes, not yet done, or why it changes nothing. */
  #effectOf(event: GovernanceEvent): (() => Partial<Fields>) | string {
    const { agents, anchors, domain, issued, logs } = this.#fields;
    switch (event.event) {
      case 'domain.created':
        return domain === undefined ? () => ({ domain: event.name }) : `the domain is already ${domain}`;
      case 'anchor.added': {
        const key = keyOf(event.jwk);
        return anchors.some((anchor) => isAnchor(anchor, event.iss, key.thumbprint))
          ? 'the anchor is already trusted'
          : () => ({ anchors: Object.freeze([...anchors, Object.freeze({ iss: event.iss, key })]) });
      }
      case 'anchor.retired': {
        const kept = anchors.filter((anchor) => !isAnchor(anchor, event.iss, event.thumbprint));
        return kept.length === anchors.length
          ? 'no such anchor is trusted'
          : () => ({ anchors: Object.freeze(kept) });
      }
      case 'agent.enrolled':
        return this.#enrolment(event);
      case 'agent.retired':
        return this.#retirement(event, agents.get(event.subject)?.keys ?? []);
      case 'log.enrolled': {
        const { origin, vkey } = event;
        const vkeys = logs.get(origin)?.vkeys ?? [];
        return vkeys.includes(vkey)
          ? 'the log is already enrolled with this key'
          : () => ({ logs: logs.with(origin, Object.freeze({ origin, vkeys: [...vkeys, vkey] })) });
      }
      case 'policy.published':
        return () => ({ policy: Object.freeze({ id: event.id, digest: event.digest }) });
      case 'artifact.issued':
        return issued.get(event.jti) === undefined
          ? () => ({ issued: issued.with(event.jti, Object.freeze({ ...event })) })
          : 'an artifact with this jti has been issued';
      case 'evidence.erased':
        // About the evidence beside a log: no decision rests on it.
        return () => ({});
      case 'caller.admitted':
      case 'caller.dismissed': {
        const { apiTokens } = this.#fields;
        const tokens =
          event.event === 'caller.admitted' ? admission(apiTokens, event) : dismissal(apiTokens, event);
        return typeof tokens === 'string' ? tokens : () => ({ apiTokens: tokens() });
      }
      case 'revoked':
        return this.#revocation(event);
      case 'approver.enrolled':
      case 'approver.retired':
      case 'approval.given':
      case 'approval.reviewed':
        return this.#approvals(event);
      case 'environment.enrolled':
      case 'environment.retired': {
        const { environments } = this.#fields;
        const effect =
          event.event === 'environment.enrolled'
            ? environmentEnrolment(environments, event, domain)
            : environmentRetirement(environments, event);
        return typeof effect === 'string' ? effect : () => ({ environments: effect() });
      }
      default:
        throw new TypeError('unknown governance event');
    }
  }

  #enrolment({ subject, jwk }: AgentEnrolled): (() => Partial<Fields>) | string {
    const { agents, keys } = this.#fields;
    const key = keyOf(jwk);
    const history = keys.get(key.thumbprint);
    // A key speaks for one subject at a time, else holding it would not tell who acts.
    if (history?.subject !== undefined) return `the key is already enrolled for ${history.subject}`;
    if (this.approvals.knowsKey(key.thumbprint)) return 'the key is, or was, an approver’s';
    const enrolled = agents.get(subject)?.keys ?? [];
    if (enrolled.length >= MAX_KEYS_PER_SUBJECT) return `the agent already has ${MAX_KEYS_PER_SUBJECT} keys`;
    const subjects = [...new Set([...(history?.subjects ?? []), subject])];
    return () => ({
      agents: agents.with(subject, agentOf(subject, [...enrolled, key])),
      keys: keys.with(key.thumbprint, { subject, subjects: Object.freeze(subjects) }),
    });
  }

  #approvals(event: ApprovalEvent): (() => Partial<Fields>) | string {
    const { keys } = this.#fields;
    const effect = this.approvals.effectOf(event, {
      domain: this.domain,
      index: this.epoch,
      isAgentKey: (thumbprint) => keys.get(thumbprint) !== undefined,
    });
    return typeof effect === 'string' ? effect : () => ({ approvals: effect() });
  }

  #retirement(
    { subject, thumbprint }: AgentRetired,
    enrolled: readonly VerificationKey[],
  ): (() => Partial<Fields>) | string {
    const { agents, keys } = this.#fields;
    const isRetired = (key: VerificationKey) => thumbprint === undefined || key.thumbprint === thumbprint;
    const retired = enrolled.filter(isRetired);
    if (retired.length === 0) return 'no such agent or key is enrolled';
    return () => ({
      agents: agents.with(
        subject,
        agentOf(
          subject,
          enrolled.filter((key) => !isRetired(key)),
        ),
      ),
      keys: retired.reduce(
        (left, key) =>
          left.with(key.thumbprint, { subject: undefined, subjects: this.subjectsOf(key.thumbprint) }),
        keys,
      ),
    });
  }

  #revocation({ handle, value, reason, at, actor }: Revoked): (() => Partial<Fields>) | string {
    const { revocations } = this.#fields;
    const key = revocationKey(handle, value);
    if (revocations.get(key) !== undefined) return 'it is already revoked';
    const revocation: Revocation = Object.freeze({
      handle,
      value,
      atSeconds: at,
      actor,
      ...(reason === undefined ? {} : { reason }),
      index: this.epoch,
    });
    return () => ({ revocations: revocations.with(key, revocation) });
  }
}

const HANDLES: readonly RevocationHandle[] = [
  'token',
  'holder',
  'subject',
  'issuer',
  'policy',
  'environment',
];

/** Unambiguous: no handle has a colon. */
function revocationKey(handle: RevocationHandle, value: string): string {
  return `${handle}:${value}`;
}

function isAnchor(anchor: TrustAnchor, iss: string, thumbprint: string): boolean {
  return anchor.iss === iss && anchor.key.thumbprint === thumbprint;
}

function agentOf(subject: string, keys: readonly VerificationKey[]): Agent {
  return Object.freeze({ subject, keys: Object.freeze(keys) });
}

function keyOf(jwk: PublicJwk): VerificationKey {
  const key = parsePublicJwk(jwk, 'revocation.stale');
  if (isDenial(key)) throw new TypeError(key.detail);
  return key;
}
