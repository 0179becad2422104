import { type Counter, DEFAULT_LIMITS, type VerifiedChain, type VerifiedProof } from '../artifact/index.ts';
import type { AppendRequest } from '../tlog/index.ts';

/** Proofs are accepted for one window around their `iat`, and remembered well past it. */
export const REPLAY_MEMORY_SECONDS = 2 * DEFAULT_LIMITS.proofWindowSeconds + 300;

/** A `jti` is unique among the proofs of one holder (AAT-02 §7.2); another holder may choose the same. */
export function consumeIdOf(chain: VerifiedChain, proof: VerifiedProof): string {
  return `${chain.leaf.holder.thumbprint}:${proof.jti}`;
}

/** What a permit consumes, for the transaction that records it. */
export function consumptionOf(
  chain: VerifiedChain,
  proof: VerifiedProof,
  counters: readonly Counter[],
): Pick<AppendRequest, 'consume' | 'counters'> {
  const consume = {
    id: consumeIdOf(chain, proof),
    expiresAtSeconds: proof.iatSeconds + REPLAY_MEMORY_SECONDS,
  };
  if (counters.length === 0) return { consume };
  return {
    consume,
    counters: counters.map(({ tokenHash, name, limit, amount }) => ({
      key: `${tokenHash}:${name}`,
      limit,
      amount,
    })),
  };
}
