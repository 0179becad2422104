import type { VerifiedChain } from '../artifact/index.ts';
import type { LineagePosition, ParentFact } from '../lineage/index.ts';
import { type PolicyFacts, timeFacts } from '../policy/index.ts';
import type { Snapshot } from './snapshot.ts';
import { vouchedFor } from './vouched.ts';

/** What policies may read of artifact, environment, lineage and time (`spec/policy.md`). */
export function policyFactsOf(
  chain: VerifiedChain,
  snapshot: Snapshot,
  lineage: LineagePosition,
  parent: ParentFact | undefined,
): PolicyFacts {
  const { root, leaf } = chain;
  const { initiator, attribution, governance } = root.writ;
  const { measurement, nowSeconds } = snapshot;
  const vouched = vouchedFor(chain, snapshot);
  return {
    artifact: {
      issuer: root.iss,
      rootId: root.jti,
      leafId: leaf.jti,
      depth: leaf.depth,
      expiresInSeconds: Math.floor(leaf.expSeconds - nowSeconds),
      ...(initiator ? { initiator } : {}),
      ...(attribution ? { owner: attribution.owner } : {}),
      ...(governance?.purpose === undefined ? {} : { purpose: governance.purpose }),
      ...(governance?.reference === undefined ? {} : { reference: governance.reference }),
      ...(governance?.risk === undefined ? {} : { risk: governance.risk }),
    },
    environment:
      measurement && vouched
        ? { measured: true, digest: measurement.digest, assurance: vouched.assurance }
        : { measured: false, assurance: 'none' },
    lineage: {
      isRoot: parent === undefined,
      depth: lineage.depth,
      ...(parent ? { parentTool: parent.tool } : {}),
    },
    time: timeFacts(nowSeconds),
  };
}
