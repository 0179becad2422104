import type { VerifiedChain } from '../artifact/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import { type GovernanceState, revocationHandlesOf } from '../governance/index.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * Whether the chain's keys belong to whom it names (stage 3, after the proof). An initiator that is an agent or a
 * workload must be enrolled, and the root token bound to one of its keys; a human initiator is the issuer's word.
 *
 * @returns the subject of the enrolled agent that holds the leaf key, if there is one.
 */
export function checkIdentity(
  chain: VerifiedChain,
  governance: GovernanceState,
): string | Denial | undefined {
  const { initiator } = chain.root.writ;
  if (initiator !== undefined && initiator.kind !== 'human') {
    const owner = governance.agentByThumbprint(chain.root.holder.thumbprint);
    if (owner === undefined || owner.subject !== initiator.id) {
      return deny('identity.mismatch', `the root token is not held by its initiator ${initiator.id}`);
    }
  }
  return governance.agentByThumbprint(chain.leaf.holder.thumbprint)?.subject;
}

/** Stage 6: whether anything the chain stands on is revoked, and whether our knowledge of that is fresh. */
export function checkRevocation(chain: VerifiedChain, snapshot: Snapshot): Denial | undefined {
  const { governance, policy, measurement, nowSeconds, governanceCheckedAtSeconds, maxStalenessSeconds } =
    snapshot;
  const handles = revocationHandlesOf(chain, governance, {
    ...(policy ? { policyDigest: policy.bundle.digest } : {}),
    ...(measurement ? { environmentDigest: measurement.digest } : {}),
  });
  const revocation = governance.findRevocation(handles);
  if (revocation !== undefined) {
    return deny('revocation.revoked', `${revocation.handle} ${revocation.value} is revoked`);
  }
  const ageSeconds = nowSeconds - governanceCheckedAtSeconds;
  // A check from the future means a clock went backwards: how old our knowledge is cannot be told.
  if (!(ageSeconds >= -1 && ageSeconds <= maxStalenessSeconds)) {
    return deny('revocation.stale', `governance state is older than ${maxStalenessSeconds} s`);
  }
  return undefined;
}
