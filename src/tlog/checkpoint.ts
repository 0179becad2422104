import { type Denial, deny, isDenial } from '../denial/index.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { parseDecimal } from './decimal.ts';
import { EMPTY_ROOT, HASH_BYTES, hashesEqual } from './hash.ts';
import { openNote, splitNote, type VerifiedSignature } from './note.ts';
import type { NoteVerifier } from './note-key.ts';
import { decodeUtf8, isNoteText, MAX_NOTE_BYTES } from './note-text.ts';

/** A tree head as the log states it (tlog-checkpoint). */
export interface Checkpoint {
  /** Identifies the log; its key name too, in this profile. */
  readonly origin: string;
  readonly size: number;
  readonly rootHash: Uint8Array;
  /** Opaque extension lines, each non-empty. */
  readonly extensions?: readonly string[];
}

/**
 * The note text of a checkpoint, final newline included.
 * @throws TypeError when a field can't be written, or the empty tree doesn't carry MTH({}).
 */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  const { origin, size, rootHash, extensions = [] } = checkpoint;
  for (const line of [origin, ...extensions]) {
    if (line === '' || line.includes('\n') || !isNoteText(line)) {
      throw new TypeError('a checkpoint line is not empty and has no control characters');
    }
  }
  const problem = findTreeHeadProblem(size, rootHash);
  if (problem !== undefined) throw new TypeError(problem);
  return `${[origin, size, encodeBase64(rootHash), ...extensions].join('\n')}\n`;
}

/** Parses checkpoint note text (no signatures): the `text` of an opened note. */
export function parseCheckpoint(text: string): Checkpoint | Denial {
  const bounded = decodeUtf8(text, MAX_NOTE_BYTES);
  if (bounded === undefined || !isNoteText(bounded)) {
    return deny('log.unavailable', 'checkpoint is too long or has control characters');
  }
  if (!bounded.endsWith('\n')) return deny('log.unavailable', 'checkpoint does not end in newline');
  const lines = bounded.slice(0, -1).split('\n');
  if (lines.includes('')) return deny('log.unavailable', 'checkpoint has an empty line');
  const [origin, sizeText, rootText, ...extensions] = lines;
  if (origin === undefined || sizeText === undefined || rootText === undefined) {
    return deny('log.unavailable', 'checkpoint has fewer than three lines');
  }
  const size = parseDecimal(sizeText);
  if (size === undefined) return deny('log.unavailable', 'checkpoint size is not a plain decimal');
  const rootHash = decodeBase64(rootText);
  if (rootHash === undefined) return deny('log.unavailable', 'checkpoint root is not base64');
  const problem = findTreeHeadProblem(size, rootHash);
  if (problem !== undefined) return deny('log.unavailable', problem);
  return { origin, size, rootHash, ...(extensions.length > 0 ? { extensions } : {}) };
}

/** A checkpoint whose log signature, and every cosignature of a known key, verified. */
export interface VerifiedCheckpoint extends Checkpoint {
  readonly logSignature: VerifiedSignature;
  readonly cosignatures: readonly VerifiedSignature[];
}

/**
 * Opens a signed checkpoint of the log that `logKey` names. Denies unless the log itself signed it and its origin is
 * the key's name: a witness's signature alone, or a key of another log, proves nothing.
 */
export function openCheckpoint(
  note: string | Uint8Array,
  logKey: NoteVerifier,
  witnesses: readonly NoteVerifier[] = [],
): VerifiedCheckpoint | Denial {
  const opened = openNote(note, [logKey, ...witnesses]);
  if (isDenial(opened)) return opened;
  const isOfLog = (signature: VerifiedSignature) =>
    signature.name === logKey.name && signature.keyId === logKey.keyId;
  const logSignature = opened.signatures.find(isOfLog);
  if (logSignature === undefined) return deny('log.unavailable', 'checkpoint is not signed by its log');
  const checkpoint = parseCheckpoint(opened.text);
  if (isDenial(checkpoint)) return checkpoint;
  if (checkpoint.origin !== logKey.name) return deny('log.unavailable', 'checkpoint is of another log');
  const cosignatures = opened.signatures.filter((signature) => !isOfLog(signature));
  return { ...checkpoint, logSignature, cosignatures };
}

/** The checkpoint inside a signed note, its signatures unverified: for a log that looks at its own files. */
export function peekCheckpoint(note: string | Uint8Array): Checkpoint | Denial {
  const split = splitNote(note);
  return isDenial(split) ? split : parseCheckpoint(split.text);
}

/** INVARIANT: size 0 has the one root MTH({}), so that two checkpoints of the empty tree never disagree. */
function findTreeHeadProblem(size: number, rootHash: Uint8Array): string | undefined {
  if (!Number.isSafeInteger(size) || size < 0) return 'checkpoint size is not an entry count';
  if (rootHash.byteLength !== HASH_BYTES) return 'checkpoint root is not 32 bytes';
  if (size === 0 && !hashesEqual(rootHash, EMPTY_ROOT)) return 'checkpoint of the empty tree has a root';
  return undefined;
}
