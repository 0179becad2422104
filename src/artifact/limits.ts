/** Bounds of what an enforcement point accepts (AAT-02 §3.4, §4.3, §4.4, §9.10 and appendix B.5). */
export interface ArtifactLimits {
  /** MAX_DELEGATION_DEPTH: highest `del_depth` and `del_max_depth`; at least 8 (§4.3). */
  readonly maxDelegationDepth: number;
  /** MAX_TOKEN_SIZE: characters of one compact token. */
  readonly maxTokenBytes: number;
  /** MAX_CHAIN_SIZE: characters of all tokens of a chain. */
  readonly maxChainBytes: number;
  /** MAX_CONSTRAINT_DEPTH: nesting of `all` and `any`. */
  readonly maxConstraintDepth: number;
  /** MAX_IAT_SKEW: how far in the future a token's `iat` may lie. */
  readonly maxIatSkewSeconds: number;
  /** MAX_TOKEN_LIFETIME: longest time between `iat` and `exp`. */
  readonly maxTokenLifetimeSeconds: number;
  /** How far from now, either way, the `iat` of a proof of possession may lie. */
  readonly proofWindowSeconds: number;
  /** Characters of a compact proof of possession, which carries the arguments (the draft names no bound). */
  readonly maxProofBytes: number;
}

export const DEFAULT_LIMITS: ArtifactLimits = Object.freeze({
  maxDelegationDepth: 8,
  maxTokenBytes: 65_536,
  maxChainBytes: 262_144,
  maxConstraintDepth: 32,
  maxIatSkewSeconds: 30,
  maxTokenLifetimeSeconds: 7_776_000,
  proofWindowSeconds: 30,
  maxProofBytes: 2_097_152,
});

const NAMES = Object.keys(DEFAULT_LIMITS) as (keyof ArtifactLimits)[];

/** The limits with defaults filled in. Throws `TypeError` for one that is not a finite non-negative number. */
export function completeLimits(limits: Partial<ArtifactLimits> | undefined): ArtifactLimits {
  if (limits === undefined) return DEFAULT_LIMITS;
  const complete = { ...DEFAULT_LIMITS, ...limits };
  for (const name of NAMES) {
    if (!(complete[name] >= 0 && complete[name] < Number.POSITIVE_INFINITY)) {
      throw new TypeError(`limit ${name} is not a finite number`);
    }
  }
  return complete;
}

export function sameLimits(left: ArtifactLimits, right: ArtifactLimits): boolean {
  return left === right || NAMES.every((name) => left[name] === right[name]);
}
