import { type Denial, deny, isDenial } from '../denial/index.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { parseDecimal } from './decimal.ts';
import { HASH_BYTES } from './hash.ts';
import { splitNote } from './note.ts';
import { decodeUtf8 } from './note-text.ts';

/** Body of `POST /add-checkpoint` (tlog-witness). */
export interface AddCheckpoint {
  /** Size of the tree that the witness cosigned last, as the client believes. */
  readonly oldSize: number;
  /** From that size to the checkpoint's. */
  readonly proof: readonly Uint8Array[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

const MAX_PROOF_HASHES = 63;

/** Longest accepted body: the proof, and a note that 32 post-quantum witnesses have signed already. */
export const MAX_ADD_CHECKPOINT_BYTES = 128 * 1024;

/** @throws TypeError when a field can't be written. */
export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  if (!Number.isSafeInteger(oldSize) || oldSize < 0) throw new TypeError('an old size is an entry count');
  if (proof.length > MAX_PROOF_HASHES || proof.some((hash) => hash.byteLength !== HASH_BYTES)) {
    throw new TypeError('a proof has at most 63 hashes of 32 bytes');
  }
  const lines = [`old ${oldSize}`, ...proof.map(encodeBase64), ''];
  return `${lines.join('\n')}\n${checkpoint}`;
}

/** Parses a body without judging it; whether the note is a checkpoint is for `openSubmission`. */
export function parseAddCheckpoint(body: string | Uint8Array): AddCheckpoint | Denial {
  const text = decodeUtf8(body, MAX_ADD_CHECKPOINT_BYTES);
  if (text === undefined) return deny('request.malformed', 'body is not UTF-8 or too long');
  const blank = text.indexOf('\n\n');
  if (blank < 0) return deny('request.malformed', 'body has no empty line before its checkpoint');
  const [first = '', ...hashes] = text.slice(0, blank).split('\n', MAX_PROOF_HASHES + 2);
  const oldSize = first.startsWith('old ') ? parseDecimal(first.slice('old '.length)) : undefined;
  if (oldSize === undefined) return deny('request.malformed', 'body has no old size line');
  if (hashes.length > MAX_PROOF_HASHES) return deny('request.malformed', 'proof has more than 63 hashes');
  const proof: Uint8Array[] = [];
  for (const line of hashes) {
    const hash = decodeBase64(line);
    if (hash?.byteLength !== HASH_BYTES) return deny('request.malformed', 'proof has a malformed hash');
    proof.push(hash);
  }
  const checkpoint = text.slice(blank + 2);
  const split = splitNote(checkpoint);
  if (isDenial(split)) return deny('request.malformed', split.detail);
  return { oldSize, proof, checkpoint };
}
