import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type Checkpoint, parseCheckpoint } from './checkpoint-text.ts';
import { openNote, splitNote, type VerifiedSignature } from './note.ts';
import type { NoteVerifier } from './note-key.ts';

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
