import { isDenial } from '../denial/index.ts';
import { parseAddCheckpoint } from './add-checkpoint.ts';
import { peekCheckpoint } from './checkpoint.ts';
import { parseCheckpoint } from './checkpoint-text.ts';
import { EMPTY_ROOT, hashesEqual } from './hash.ts';
import { openNote } from './note.ts';
import type { NoteVerifier } from './note-key.ts';
import type { SignedHead } from './split-view.ts';
import { verifyConsistency } from './verify.ts';

/** Keys a witness trusts, by the origin of the log they sign for. */
export type KnownLogs = ReadonlyMap<string, readonly NoteVerifier[]>;

/** A submission whose log is known and whose signature verified; it has not been compared with what was seen before. */
export interface Submission {
  readonly origin: string;
  readonly oldSize: number;
  readonly proof: readonly Uint8Array[];
  /** The signed text with its final newline: what is cosigned. */
  readonly text: string;
  /** Lines behind the root, of which a subtree cosignature says nothing. */
  readonly hasExtensions: boolean;
  /** The head, its note reduced to the signatures that verified. */
  readonly head: SignedHead;
}

/** Why a witness does not cosign, as tlog-witness maps it to HTTP. */
export interface WitnessRefusal {
  readonly status: 400 | 403 | 404 | 409 | 422;
  /** Fixed text, without anything of the request. */
  readonly problem: string;
  /** On a 409: what the client should have named as its old size. */
  readonly knownSize?: number;
  /** Signed by the log: what was cosigned before, and what does not go with it. */
  readonly heads?: readonly [string, string];
}

/** Everything about a submission that can be judged without the witness's state. */
export function openSubmission(body: string | Uint8Array, logs: KnownLogs): Submission | WitnessRefusal {
  const request = parseAddCheckpoint(body);
  if (isDenial(request)) return { status: 400, problem: request.detail };
  const { oldSize, proof } = request;
  const claimed = peekCheckpoint(request.checkpoint);
  if (isDenial(claimed)) return { status: 400, problem: claimed.detail };
  const keys = logs.get(claimed.origin);
  if (keys === undefined) return { status: 404, problem: 'this witness does not know the log' };
  const note = openNote(request.checkpoint, keys);
  if (isDenial(note)) return { status: 403, problem: 'the checkpoint is not signed by its log' };
  const checkpoint = parseCheckpoint(note.text);
  if (isDenial(checkpoint)) return { status: 400, problem: checkpoint.detail };
  const { origin, size, rootHash } = checkpoint;
  if (oldSize > size) return { status: 400, problem: 'the old size is beyond the checkpoint' };
  const lines = note.signatures.map(({ line }) => line).join('');
  return {
    origin,
    oldSize,
    proof,
    text: note.text,
    hasExtensions: checkpoint.extensions !== undefined,
    head: { size, rootHash, note: `${note.text}\n${lines}` },
  };
}

/**
 * Whether the submission extends what was cosigned last for its log (undefined: nothing). INVARIANT: nothing may change
 * what was cosigned between this and storing the new head (tlog-witness, "performed atomically").
 */
export function judgeSubmission(
  submission: Submission,
  known: SignedHead | undefined,
): WitnessRefusal | undefined {
  const { oldSize, proof, head } = submission;
  const { size, rootHash } = known ?? { size: 0, rootHash: EMPTY_ROOT };
  if (oldSize !== size) {
    return { status: 409, problem: 'the old size is not what was cosigned last', knownSize: size };
  }
  const heads = known === undefined ? {} : { heads: [known.note, head.note] as const };
  if (oldSize === head.size && !hashesEqual(rootHash, head.rootHash)) {
    return { status: 409, problem: 'the log has signed two trees of one size', ...heads };
  }
  const claim = { size1: size, root1: rootHash, size2: head.size, root2: head.rootHash, proof };
  if (!verifyConsistency(claim)) {
    return { status: 422, problem: 'the proof does not show that the log only grew', ...heads };
  }
  return undefined;
}
