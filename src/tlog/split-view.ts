import { LogUnavailable } from './log.ts';
import { verifyConsistency } from './verify.ts';

/** A head of a log whose signature verified, with the note that carries the signature. */
export interface SignedHead {
  readonly size: number;
  readonly rootHash: Uint8Array;
  readonly note: string;
}

/** `forked`: neither tree extends the other. `rolled_back`: the log of now is smaller than what it signed before. */
export type HeadsVerdict = 'extends' | 'forked' | 'rolled_back';

/**
 * Whether the log whose head is `now` still has the tree that `kept` was signed over. The proof may come from anywhere:
 * both roots are signed, so no proof makes two histories one.
 */
export function compareHeads(
  kept: Omit<SignedHead, 'note'>,
  now: Omit<SignedHead, 'note'>,
  prove: (oldSize: number) => readonly Uint8Array[],
): HeadsVerdict {
  if (kept.size > now.size) return 'rolled_back';
  const claim = { size1: kept.size, root1: kept.rootHash, size2: now.size, root2: now.rootHash };
  return verifyConsistency({ ...claim, proof: prove(kept.size) }) ? 'extends' : 'forked';
}

/** Two heads signed with one log's key that are not of one growing tree. Either the key or the log was tampered with. */
export class SplitView extends LogUnavailable {
  /** Both signed notes: whoever has the log's public key can check them without trusting who shows them. */
  readonly heads: readonly [string, string];

  constructor(problem: string, heads: readonly [string, string]) {
    super(`${problem}\n\n${heads[0]}\n${heads[1]}`);
    this.heads = heads;
  }
}
