import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { checkQuorum, openCheckpoint, parseVkey, type WitnessPolicy } from '../tlog/index.ts';

/** What a log's key has signed for. */
export interface SignedHead {
  readonly size: number;
  readonly rootHash: Uint8Array;
  /** Whether the witnesses that a policy asks for cosigned it. */
  readonly witnessed: boolean;
}

/** The head in a log's published checkpoint, if one of the enrolled keys signed it; none before the first publication. */
export function readSignedHead(
  directory: string,
  vkeys: readonly string[],
  policy?: WitnessPolicy,
): SignedHead | undefined {
  const note = readCheckpointNote(directory);
  return note === undefined ? undefined : openWithAny(note, vkeys, policy);
}

/** Undefined before the first publication of a new log. */
export function readCheckpointNote(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, 'checkpoint'), 'utf8');
  } catch {
    return undefined;
  }
}

/** A log may have had several keys; the checkpoint is signed with one of them. */
export function openWithAny(
  note: string,
  vkeys: readonly string[],
  policy?: WitnessPolicy,
): SignedHead | undefined {
  const witnesses = policy?.witnesses.map(({ verifier }) => verifier);
  for (const vkey of vkeys) {
    const verifier = parseVkey(vkey);
    const checkpoint = isDenial(verifier) ? verifier : openCheckpoint(note, verifier, witnesses);
    if (isDenial(checkpoint)) continue;
    const { size, rootHash, cosignatures } = checkpoint;
    return { size, rootHash, witnessed: policy !== undefined && checkQuorum(policy, cosignatures).met };
  }
  return undefined;
}
