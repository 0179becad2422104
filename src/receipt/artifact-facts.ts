import type { VerifiedChain } from '../artifact/index.ts';
import type { ArtifactFacts } from './decision-receipt.ts';

/** A chain is presented many times: its facts are made once. */
const factsOfChain = new WeakMap<VerifiedChain, ArtifactFacts>();

/** What a receipt says of the chain a decision was made under. */
export function artifactFactsOf(chain: VerifiedChain): ArtifactFacts {
  const known = factsOfChain.get(chain);
  if (known !== undefined) return known;
  const { root, tokens } = chain;
  const { initiator, attribution, governance } = root.writ;
  const facts: ArtifactFacts = {
    digest: chain.digest,
    issuer: root.iss,
    tokenIds: tokens.map(({ jti }) => jti),
    tokenHashes: tokens.map(({ hash }) => hash),
    holders: tokens.map(({ holder }) => holder.thumbprint),
    ...(initiator ? { initiator } : {}),
    ...(attribution ? { attribution } : {}),
    ...(governance?.purpose === undefined ? {} : { purpose: governance.purpose }),
    ...(governance?.reference === undefined ? {} : { reference: governance.reference }),
  };
  factsOfChain.set(chain, facts);
  return facts;
}
