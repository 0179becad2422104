import type { VerifiedChain } from '../artifact/index.ts';
import { type Vouched, vouchFor } from '../environment/index.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * How far the measurement of a snapshot is proven, for a chain: by quotes of the TPMs that are enrolled now, and by what its
 * supervisor saw. Undefined where nothing is measured. The word of the measurement itself counts for no more than `self`.
 */
export function vouchedFor(
  chain: VerifiedChain | undefined,
  { measurement, governance, nowSeconds }: Pick<Snapshot, 'measurement' | 'governance' | 'nowSeconds'>,
): Vouched | undefined {
  return (
    measurement &&
    vouchFor(measurement, {
      nowSeconds,
      findAttester: (name) => governance.environmentByName(name)?.attester,
      artifact: chain?.digest,
      bindings: chain?.tokens.flatMap(({ writ }) => (writ.environment ? [writ.environment] : [])) ?? [],
    })
  );
}
