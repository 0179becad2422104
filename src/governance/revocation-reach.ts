import type { DecisionReceipt } from '../receipt/index.ts';
import type { ArtifactIssued } from './event.ts';
import type { RevocationHandles } from './revocation.ts';
import type { GovernanceState } from './state.ts';

/**
 * The handles of a root token as its issuance tells them. Which of an issuer's keys signed is not on record, so it counts
 * for all of them: more may be listed than dies, never less.
 */
export function handlesOfIssued(
  { jti, iss, holder, initiator }: ArtifactIssued,
  state: GovernanceState,
): RevocationHandles {
  const signers = signersOf(iss, state);
  const holders = [...signers, holder];
  return {
    tokens: [jti],
    holders,
    subjects: [
      ...(initiator === undefined ? [] : [initiator]),
      ...holders.flatMap((thumbprint) => state.subjectsOf(thumbprint)),
    ],
    issuers: [iss, ...signers],
  };
}

/**
 * The same of the chain behind a receipt, down to one of its tokens; undefined where no chain verified.
 *
 * @param depth of the last token that counts; the root's is 0.
 */
export function handlesOfReceipt(
  { artifact }: DecisionReceipt,
  depth: number,
  state: GovernanceState,
): RevocationHandles | undefined {
  if (artifact === undefined) return undefined;
  const signers = signersOf(artifact.issuer, state);
  const keys = artifact.holders.slice(0, depth + 1);
  const holders = [...signers, ...keys];
  const initiator = artifact.initiator?.id;
  return {
    tokens: artifact.tokenIds.slice(0, depth + 1),
    holders,
    subjects: [
      ...(initiator === undefined ? [] : [initiator]),
      ...holders.flatMap((thumbprint) => state.subjectsOf(thumbprint)),
    ],
    // Whoever holds a token signs the one below it.
    issuers: [artifact.issuer, ...signers, ...keys.slice(0, -1)],
  };
}

function signersOf(iss: string, { anchors }: GovernanceState): string[] {
  return anchors.filter((anchor) => anchor.iss === iss).map(({ key }) => key.thumbprint);
}
