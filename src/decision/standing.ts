import type { VerifiedChain } from '../artifact/index.ts';
import type { Digest, JsonObject } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import { checkConfinement, checkEnvironment, checkToolDefinition } from '../environment/index.ts';
import { type GovernanceState, revocationHandlesOf } from '../governance/index.ts';
import type { LineagePosition, ParentFact } from '../lineage/index.ts';
import type { PolicyPermit } from '../policy/index.ts';
import { policyFactsOf } from './policy-facts.ts';
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

/**
 * Stage 5: whether the tool is the one that was pinned, the runtime what every token of the chain is bound to, and a
 * program that is to run confined is.
 */
export function checkRuntime(
  chain: VerifiedChain,
  tool: string,
  toolDigest: Digest | undefined,
  { policy, measurement, nowSeconds }: Snapshot,
): Denial | undefined {
  const bindings = chain.tokens.flatMap(({ writ }) => (writ.environment ? [writ.environment] : []));
  return (
    checkToolDefinition(tool, policy?.bundle.tools.get(tool)?.digest, toolDigest) ??
    checkEnvironment(bindings, measurement, nowSeconds) ??
    checkConfinement(tool, chain.root.writ.environment, measurement)
  );
}

/** What policy is asked about. */
export interface PolicyQuestion {
  readonly tool: string;
  readonly args: JsonObject;
  readonly chain: VerifiedChain;
  /** Subject of the enrolled agent that holds the leaf key. */
  readonly agent: string | undefined;
  readonly lineage: LineagePosition;
  readonly parent: ParentFact | undefined;
}

/** Stage 8: the published policy, under the versions that the chain pins. */
export function askPolicy(
  { tool, args, chain, agent, lineage, parent }: PolicyQuestion,
  snapshot: Snapshot,
): PolicyPermit | Denial {
  const { policy, governance } = snapshot;
  if (governance.policy === undefined) return deny('policy.unavailable', 'no policy has been published');
  if (policy === undefined || policy.bundle.digest !== governance.policy.digest) {
    return deny('policy.unavailable', 'the published policy bundle is not at hand');
  }
  for (const { writ } of chain.tokens) {
    const pin = writ.governance?.policy;
    if (pin === undefined) continue;
    if (
      pin.id !== governance.policy.id ||
      (pin.digest !== undefined && pin.digest !== governance.policy.digest)
    ) {
      return deny('policy.version_mismatch', `the artifact requires policy ${pin.id}`);
    }
  }
  return policy.evaluate({
    principal: {
      id: agent ?? chain.leaf.holder.thumbprintUri,
      enrolled: agent !== undefined,
      thumbprint: chain.leaf.holder.thumbprint,
    },
    tool,
    input: args,
    facts: policyFactsOf(chain, snapshot, lineage, parent),
  });
}
