import { type Denial, deny } from '../denial/index.ts';
import type { VerifiedChain } from './verified-chain.ts';

/**
 * Step 6c of AAT-02 §8: each token that carries `aud` must name this enforcement point, by exact string.
 *
 * @param audiences the identifiers of this enforcement point.
 * @param options.required whether some token of the chain must carry `aud` (AAT-02 §9.5).
 * @returns `artifact.audience_mismatch`.
 */
export function checkAudience(
  chain: VerifiedChain,
  audiences: readonly string[],
  options: { readonly required: boolean },
): Denial | undefined {
  let named = false;
  for (const token of chain.tokens) {
    if (token.audiences === undefined) continue;
    named = true;
    if (!token.audiences.some((audience) => audiences.includes(audience))) {
      return mismatch(`aud at depth ${token.depth} does not name this enforcement point`);
    }
  }
  return options.required && !named ? mismatch('no token of the chain carries aud') : undefined;
}

function mismatch(problem: string): Denial {
  return deny('artifact.audience_mismatch', `step 6c: ${problem}`);
}
