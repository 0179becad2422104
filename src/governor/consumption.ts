import { type Counter, DEFAULT_LIMITS, type VerifiedChain, type VerifiedProof } from '../artifact/index.ts';
import { sha256Base64url } from '../codec/index.ts';
import type { ApprovalFindings } from '../decision/index.ts';
import type { AppendRequest } from '../tlog/index.ts';
import { spendingOf } from './approvals/find-approvals.ts';

/** Proofs are accepted for one window around their `iat`, and remembered well past it. */
export const REPLAY_MEMORY_SECONDS = 2 * DEFAULT_LIMITS.proofWindowSeconds + 300;

/**
 * A `jti` is unique among the proofs of one holder (AAT-02 §7.2); another holder may choose the same. Hashed, because
 * the holder chose it and any text it is must be consumable.
 */
export function consumeIdOf(
  { leaf }: { readonly leaf: { readonly holder: { readonly thumbprint: string } } },
  { jti }: Pick<VerifiedProof, 'jti'>,
): string {
  return `${leaf.holder.thumbprint}:${sha256Base64url(jti)}`;
}

/** A budget names an argument, and that may be any text. */
export function counterKeyOf({ tokenHash, name }: Counter): string {
  return name === 'uses' ? `${tokenHash}:uses` : `${tokenHash}:budget:${sha256Base64url(name)}`;
}

/** What a permit consumes, for the transaction that records it: its proof, its artifact's counters, its approvals. */
export function consumptionOf(
  chain: VerifiedChain,
  proof: VerifiedProof,
  counters: readonly Counter[],
  approvals?: ApprovalFindings,
): Pick<AppendRequest, 'consume' | 'counters'> {
  const consume = {
    id: consumeIdOf(chain, proof),
    expiresAtSeconds: proof.iatSeconds + REPLAY_MEMORY_SECONDS,
  };
  const spending = spendingOf(approvals).counters;
  if (counters.length + spending.length === 0) return { consume };
  return {
    consume,
    counters: [
      ...counters.map((counter) => ({
        key: counterKeyOf(counter),
        limit: counter.limit,
        amount: counter.amount,
      })),
      ...spending,
    ],
  };
}
