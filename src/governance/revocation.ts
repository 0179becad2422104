import type { Digest } from '../codec/index.ts';
import type { RevocationHandle } from './event.ts';

/** A revocation in force. It is never lifted: new authority is issued instead. */
export interface Revocation {
  readonly handle: RevocationHandle;
  readonly value: string;
  /** Unix seconds, as recorded; it holds from its place in the log on, whatever this says. */
  readonly atSeconds: number;
  readonly actor: string;
  readonly reason?: string;
  /** Index of its entry in the governance log. */
  readonly index: number;
}

/** Everything an action stands on, by what it can be revoked by. Order and repetition do not matter. */
export interface RevocationHandles {
  /** `jti` of every token of the chain. */
  readonly tokens: readonly string[];
  /** Thumbprint of every key of the chain. */
  readonly holders: readonly string[];
  readonly subjects: readonly string[];
  /** Issuer URIs and thumbprints of keys that signed. */
  readonly issuers: readonly string[];
  readonly policyDigest?: Digest;
  readonly environmentDigest?: Digest;
}

/** What `revocationHandlesOf` needs of a chain; `VerifiedChain` has it. */
export interface RevocableChain {
  /** Root first. */
  readonly tokens: readonly {
    readonly jti: string;
    readonly iss: string;
    readonly holder: { readonly thumbprint: string };
  }[];
  readonly root: { readonly writ: { readonly initiator?: { readonly id: string } } };
  readonly anchor: { readonly iss: string; readonly key: { readonly thumbprint: string } };
}

/** Who a key has been enrolled for; `GovernanceState` answers it. */
export interface KeySubjects {
  subjectsOf(thumbprint: string): readonly string[];
}

/**
 * The handles of a chain and of what it is exercised with. A revocation cascades because every token of the chain counts:
 * whatever descends from a revoked token, key, subject or issuer carries its handle. A key counts in each role it
 * could be revoked in: a holder's that signed a derived token as an issuer's, an anchor's as a holder's; and for every
 * subject it was ever enrolled for, retired or not.
 */
export function revocationHandlesOf(
  chain: RevocableChain,
  keys: KeySubjects,
  used: Pick<RevocationHandles, 'policyDigest' | 'environmentDigest'> = {},
): RevocationHandles {
  const thumbprints = [chain.anchor.key.thumbprint, ...chain.tokens.map(({ holder }) => holder.thumbprint)];
  const initiator = chain.root.writ.initiator?.id;
  return {
    tokens: chain.tokens.map(({ jti }) => jti),
    holders: thumbprints,
    subjects: [
      ...(initiator === undefined ? [] : [initiator]),
      ...thumbprints.flatMap((thumbprint) => keys.subjectsOf(thumbprint)),
    ],
    // The leaf holder has signed no token.
    issuers: [chain.anchor.iss, ...chain.tokens.map(({ iss }) => iss), ...thumbprints.slice(0, -1)],
    ...used,
  };
}
