import type { JsonObject, JsonValue } from '../codec/index.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import { checkAudience } from './audience.ts';
import { verifyChain } from './chain.ts';
import type { ChainCache } from './chain-cache.ts';
import type { ArtifactLimits } from './limits.ts';
import { parseChainMember, parseProofMember } from './presentation.ts';
import { type VerifiedProof, verifyProof } from './proof.ts';
import { checkScope } from './scope.ts';
import type { TrustAnchor } from './trust-anchor.ts';
import type { VerifiedChain } from './verified-chain.ts';

export interface PresentationContext {
  readonly anchors: readonly TrustAnchor[];
  /** The identifiers of this enforcement point. */
  readonly audiences: readonly string[];
  /** Whether some token of the chain must carry `aud`: the profile wants it, plain AAT-02 leaves it open. */
  readonly requireAudience: boolean;
  /** Whether the proof must carry `aat_aud`. */
  readonly requireProofAudience?: boolean;
  readonly acceptsNonce?: (nonce: string) => boolean;
  readonly tool: string;
  readonly args: JsonObject;
  /** Unix time, whole or fractional. */
  readonly nowSeconds: number;
  readonly limits?: Partial<ArtifactLimits>;
  readonly cache?: ChainCache;
}

/**
 * The stages artifact, identity and scope of one presentation, stateless and in that order: AAT-02 §8 without replay
 * (7i), counters and whatever else needs state. The proof is verified before any argument is evaluated.
 *
 * @param presentation the object of AAT-02 §7.4, not yet parsed.
 */
export function verifyPresentation(
  presentation: JsonValue,
  context: PresentationContext,
): { readonly chain: VerifiedChain; readonly proof: VerifiedProof } | Denial {
  const { tool, args, audiences, nowSeconds, acceptsNonce, limits } = context;
  const compact = parseChainMember(presentation);
  if (isDenial(compact)) return compact;
  const chain = verifyChain(compact, context);
  if (isDenial(chain)) return chain;
  const mismatch = checkAudience(chain, audiences, { required: context.requireAudience });
  if (mismatch !== undefined) return mismatch;

  const pop = parseProofMember(presentation);
  if (isDenial(pop)) return pop;
  const proof = verifyProof(pop, chain, {
    tool,
    args,
    nowSeconds,
    audiences,
    audienceRequired: context.requireProofAudience ?? false,
    ...(acceptsNonce === undefined ? {} : { acceptsNonce }),
    ...(limits === undefined ? {} : { limits }),
  });
  if (isDenial(proof)) return proof;
  return checkScope(chain, tool, args, nowSeconds) ?? { chain, proof };
}
