import type { Digest } from '../codec/index.ts';
import type { TokenClaims } from './claims.ts';
import type { TrustAnchor } from './trust-anchor.ts';

/** A token of a verified chain. */
export interface VerifiedToken extends TokenClaims {
  /** SHA-256 of the JWS signing input, base64url: what `par_hash` and `aat_hash` carry. */
  readonly hash: string;
  readonly compact: string;
}

/** A chain that passed steps 1 to 5 and 6a of AAT-02 §8. It says nothing about who presents it. */
export interface VerifiedChain {
  /** Root first, never empty. */
  readonly tokens: readonly VerifiedToken[];
  readonly root: VerifiedToken;
  readonly leaf: VerifiedToken;
  /** The anchor whose key verified the root and whose issuer the root names. */
  readonly anchor: TrustAnchor;
  /** Over the compact tokens joined by line feeds. */
  readonly digest: Digest;
}
