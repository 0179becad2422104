import type { DecisionReceipt, OutcomeReceipt } from '../receipt/index.ts';
import type { ExecutionFact } from './tree.ts';

/**
 * How far a log vouches for an entry (DESIGN §6). `durable`: it is in the log, and no signed checkpoint covers it yet;
 * `included`: its hash is under a checkpoint that the log's enrolled key signed; `witnessed`: and that the witnesses cosigned
 * whom the domain's policy asks for; `mismatch`: a signed checkpoint covers its place and says something else, so the
 * entry has been changed.
 */
export type VerificationLevel = 'durable' | 'included' | 'witnessed' | 'mismatch';

export interface Verification {
  readonly decision: VerificationLevel;
  /** Of the outcome receipt, where there is one. */
  readonly outcome?: VerificationLevel;
  /** Entries under the log's signed checkpoint; 0 where none verifies. */
  readonly signedSize: number;
}

/** Where authority comes from: who signed the root token, for whom. */
export interface AuthorizationOrigin {
  readonly issuer: string;
  /** `jti` of the root token. */
  readonly rootToken: string;
  readonly initiator?: { readonly id: string; readonly kind: string };
  readonly purpose?: string;
  /** The governance log's record of the issuance; absent where the token was not issued in this domain. */
  readonly issuance?: GovernanceRecord;
}

/** One link of an artifact, root first. */
export interface Delegation {
  readonly token: string;
  /** Thumbprint of the key that holds it. */
  readonly holder: string;
  /** Every subject the key has been enrolled for; the leaf's is the agent the decision found. */
  readonly subjects: readonly string[];
}

/** Who did something, as the governance log has it. */
export interface GovernanceRecord {
  readonly actor: string;
  readonly atSeconds: number;
  /** Index of the entry. */
  readonly index: number;
}

export interface PolicyAuthority {
  readonly id: string;
  readonly digest: string;
  /** Policies that permitted, where one did. */
  readonly determining: readonly string[];
  /** The publication in force at the decision; absent where the governance log has none. */
  readonly published?: GovernanceRecord;
}

/** One execution as a log holds it, and what vouches for it. */
export interface LineageEntry extends ExecutionFact {
  /** Name of the log in its domain. */
  readonly log: string;
  /** Index of the decision in that log. */
  readonly index: number;
  /** RFC 9162 leaf hash of the decision, base64url. */
  readonly leafHash: string;
  readonly decision: DecisionReceipt;
  readonly end?: OutcomeReceipt;
  readonly origin?: AuthorizationOrigin;
  readonly delegations: readonly Delegation[];
  readonly policy?: PolicyAuthority;
  readonly verification: Verification;
}

/** What a log has to say about the governance behind a receipt; `GovernanceHistory` answers it. */
export interface GovernanceFacts {
  subjectsOf(thumbprint: string): readonly string[];
  /** The last publication of a bundle among the first `size` entries. */
  publicationOf(digest: string, size: number): GovernanceRecord | undefined;
  issuanceOf(tokenId: string): GovernanceRecord | undefined;
}

export interface RecordedExecution {
  readonly log: string;
  readonly index: number;
  readonly leafHash: string;
  readonly decision: DecisionReceipt;
  readonly end?: OutcomeReceipt;
  readonly verification: Verification;
}

/** What the receipts of an execution say about who led to it and on what authority. */
export function lineageEntryOf(recorded: RecordedExecution, governance: GovernanceFacts): LineageEntry {
  const { decision, end } = recorded;
  const { id, verdict, tool, code, lineage, artifact, agent, policy } = decision;
  const outcome = end?.status ?? code;
  const published = policy && governance.publicationOf(policy.digest, decision.governance.size);
  const [rootToken] = artifact?.tokenIds ?? [];
  const issuance = rootToken === undefined ? undefined : governance.issuanceOf(rootToken);
  return {
    ...recorded,
    executionId: id,
    rootExecutionId: lineage?.root ?? id,
    verdict,
    tool,
    ...(lineage?.parent === undefined ? {} : { parentId: lineage.parent }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(artifact === undefined || rootToken === undefined
      ? {}
      : {
          origin: {
            issuer: artifact.issuer,
            rootToken,
            ...(artifact.initiator === undefined ? {} : { initiator: artifact.initiator }),
            ...(artifact.purpose === undefined ? {} : { purpose: artifact.purpose }),
            ...(issuance === undefined ? {} : { issuance }),
          },
        }),
    delegations: (artifact?.tokenIds ?? []).map((token, depth, tokens) => {
      const holder = artifact?.holders[depth] ?? '';
      const isLeaf = depth === tokens.length - 1;
      return {
        token,
        holder,
        subjects: isLeaf && agent !== undefined ? [agent] : governance.subjectsOf(holder),
      };
    }),
    ...(policy === undefined
      ? {}
      : {
          policy: {
            id: policy.id,
            digest: policy.digest,
            determining: policy.determining ?? [],
            ...(published === undefined ? {} : { published }),
          },
        }),
  };
}
