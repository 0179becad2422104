import type { QuorumVerdict } from './witness-policy.ts';

/** What a cosigner may ask of the log whose head it is to cosign. */
export interface CosigningContext {
  /** A size that witnesses have probably seen last. */
  readonly knownSize: number;
  /** RFC 9162 §2.1.4 from `oldSize` to the size of the checkpoint; 0 ≤ oldSize ≤ size. */
  readonly prove: (oldSize: number) => readonly Uint8Array[];
}

/** Gets a log's checkpoints cosigned. A publisher that has one publishes nothing that its policy does not accept. */
export interface CheckpointCosigner {
  /** Whether a note of this log already carries what the policy asks for. */
  check(note: string): QuorumVerdict;
  /**
   * Resolves to the note with cosignature lines that meet the policy.
   * @throws QuorumUnmet when it could not be met, which may be otherwise later; SplitView when a witness shows that the
   * log's key has signed another history.
   */
  cosign(note: string, context: CosigningContext): Promise<string>;
}

/** Not enough witnesses cosigned. The log itself is sound: what was appended stays, and publication is tried again. */
export class QuorumUnmet extends Error {
  override readonly name = 'QuorumUnmet';
}
