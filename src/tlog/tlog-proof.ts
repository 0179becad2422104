import { type Denial, deny, isDenial } from '../denial/index.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { openCheckpoint, type VerifiedCheckpoint } from './checkpoint.ts';
import { parseDecimal } from './decimal.ts';
import { HASH_BYTES } from './hash.ts';
import { splitNote } from './note.ts';
import type { NoteVerifier } from './note-key.ts';
import { decodeUtf8, MAX_NOTE_BYTES } from './note-text.ts';
import { verifyInclusion } from './verify.ts';

/** Evidence that an entry is in a log (C2SP tlog-proof). */
export interface TlogProof {
  /** Application data that nothing authenticates. */
  readonly extra?: Uint8Array;
  readonly index: number;
  readonly proof: readonly Uint8Array[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

const HEADER = 'c2sp.org/tlog-proof@v1';
/** A tree of 2^63 entries; longer proofs can't verify. */
const MAX_PROOF_HASHES = 63;
const MAX_EXTRA_BYTES = 256 * 1024;
const MAX_PROOF_BYTES = 2 * MAX_NOTE_BYTES;

/** @throws TypeError when a field can't be written. */
export function formatTlogProof(proof: TlogProof): string {
  const { extra, index, proof: hashes, checkpoint } = proof;
  if (!Number.isSafeInteger(index) || index < 0) throw new TypeError('an index is not negative');
  if (hashes.length > MAX_PROOF_HASHES || hashes.some((hash) => hash.byteLength !== HASH_BYTES)) {
    throw new TypeError('a proof has at most 63 hashes of 32 bytes');
  }
  if (extra !== undefined && extra.byteLength > MAX_EXTRA_BYTES)
    throw new TypeError('extra data is too long');
  if (isDenial(splitNote(checkpoint))) throw new TypeError('the checkpoint is not a signed note');
  const lines = [HEADER];
  if (extra !== undefined) lines.push(`extra ${encodeBase64(extra)}`);
  lines.push(`index ${index}`, ...hashes.map(encodeBase64), '');
  return `${lines.join('\n')}\n${checkpoint}`;
}

/** Parses a proof without judging it; `verifyTlogProof` does that. */
export function parseTlogProof(input: string | Uint8Array): TlogProof | Denial {
  const text = decodeUtf8(input, MAX_PROOF_BYTES);
  if (text === undefined) return deny('request.malformed', 'log proof is not UTF-8 or too long');
  const blank = text.indexOf('\n\n');
  if (blank < 0) return deny('request.malformed', 'log proof has no blank line before its checkpoint');
  const checkpoint = text.slice(blank + 2);
  const lines = text.slice(0, blank).split('\n', MAX_PROOF_HASHES + 4);
  if (lines.shift() !== HEADER) return deny('request.malformed', 'log proof has another header');
  const extra = parseExtra(lines);
  if (isDenial(extra)) return extra;
  const indexLine = lines.shift() ?? '';
  const index = indexLine.startsWith('index ') ? parseDecimal(indexLine.slice('index '.length)) : undefined;
  if (index === undefined) return deny('request.malformed', 'log proof has no index');
  if (lines.length > MAX_PROOF_HASHES) return deny('request.malformed', 'log proof has too many hashes');
  const proof: Uint8Array[] = [];
  for (const line of lines) {
    const hash = decodeBase64(line);
    if (hash?.byteLength !== HASH_BYTES) return deny('request.malformed', 'log proof has a malformed hash');
    proof.push(hash);
  }
  const split = splitNote(checkpoint);
  if (isDenial(split)) return deny('request.malformed', `log proof: ${split.detail}`);
  return { ...(extra === undefined ? {} : { extra }), index, proof, checkpoint };
}

export interface VerifiedInclusion {
  readonly index: number;
  readonly checkpoint: VerifiedCheckpoint;
}

/**
 * Verifies that a log whose key is known has the leaf at the proof's index. How many cosignatures, of whom and how old,
 * is the caller's policy: they are in `checkpoint.cosignatures`.
 */
export function verifyTlogProof(
  proof: TlogProof,
  leafHash: Uint8Array,
  logKey: NoteVerifier,
  witnesses: readonly NoteVerifier[] = [],
): VerifiedInclusion | Denial {
  const checkpoint = openCheckpoint(proof.checkpoint, logKey, witnesses);
  if (isDenial(checkpoint)) return checkpoint;
  const { size, rootHash } = checkpoint;
  if (!verifyInclusion({ leafHash, index: proof.index, size, rootHash, proof: proof.proof })) {
    return deny('log.unavailable', 'inclusion proof does not verify');
  }
  return { index: proof.index, checkpoint };
}

/** Takes the optional extra line off the front of `lines`. */
function parseExtra(lines: string[]): Uint8Array | undefined | Denial {
  const [line] = lines;
  if (!line?.startsWith('extra ')) return undefined;
  lines.shift();
  const extra = decodeBase64(line.slice('extra '.length));
  if (extra === undefined) return deny('request.malformed', 'log proof has malformed extra data');
  if (extra.byteLength > MAX_EXTRA_BYTES)
    return deny('request.malformed', 'log proof has too much extra data');
  return extra;
}
