import { type Denial, deny } from '../denial/index.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { parseDecimal } from './decimal.ts';
import { EMPTY_ROOT, HASH_BYTES, hashesEqual } from './hash.ts';
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

/** INVARIANT: size 0 has the one root MTH({}), so that two checkpoints of the empty tree never disagree. */
function findTreeHeadProblem(size: number, rootHash: Uint8Array): string | undefined {
  if (!Number.isSafeInteger(size) || size < 0) return 'checkpoint size is not an entry count';
  if (rootHash.byteLength !== HASH_BYTES) return 'checkpoint root is not 32 bytes';
  if (size === 0 && !hashesEqual(rootHash, EMPTY_ROOT)) return 'checkpoint of the empty tree has a root';
  return undefined;
}
