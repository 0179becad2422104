import { type Denial, isDenial } from '../denial/index.ts';
import { type ChainContext, verifyChain } from './chain.ts';
import { isInTime, isTrusted } from './chain-standing.ts';
import { completeLimits } from './limits.ts';
import type { VerifiedChain } from './verified-chain.ts';

/**
 * Whether a chain that was verified under the same limits still is what it was: `verifyChain` says the same, and is
 * asked where anything speaks against it.
 */
export function recheckChain(
  chain: VerifiedChain,
  context: Pick<ChainContext, 'anchors' | 'nowSeconds' | 'limits'>,
): Denial | undefined {
  const { anchors, nowSeconds, limits } = context;
  if (isTrusted(chain, anchors) && isInTime(chain, nowSeconds, completeLimits(limits).maxIatSkewSeconds)) {
    return undefined;
  }
  const verified = verifyChain(
    chain.tokens.map(({ compact }) => compact),
    { anchors, nowSeconds, ...(limits ? { limits } : {}) },
  );
  return isDenial(verified) ? verified : undefined;
}
