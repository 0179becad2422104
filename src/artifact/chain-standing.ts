import type { TrustAnchor } from './trust-anchor.ts';
import type { VerifiedChain } from './verified-chain.ts';

// What may become untrue of a chain that verified once: everything else about it is in its own bytes.

export function isTrusted({ anchor }: VerifiedChain, anchors: readonly TrustAnchor[]): boolean {
  return anchors.some(({ iss, key }) => iss === anchor.iss && key.thumbprint === anchor.key.thumbprint);
}

/** The steps of AAT-02 §8 that depend on the clock: 3e, 3f, 4i, 4k, and `nbf`. */
export function isInTime(chain: VerifiedChain, nowSeconds: number, maxIatSkewSeconds: number): boolean {
  return chain.tokens.every(
    ({ expSeconds, iatSeconds, nbfSeconds }) =>
      expSeconds > nowSeconds &&
      iatSeconds <= nowSeconds + maxIatSkewSeconds &&
      (nbfSeconds === undefined || nbfSeconds <= nowSeconds),
  );
}
