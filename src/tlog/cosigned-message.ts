import { isDenial } from '../denial/index.ts';
import { parseCheckpoint } from './checkpoint-text.ts';
import { encodeUtf8 } from './note-text.ts';

/** What a `cosignature/v1` signs (tlog-cosignature, "Ed25519 signed message"). The header separates it from a log's own signature. */
export function cosignedMessage(timestampSeconds: number, noteText: string): Uint8Array {
  return encodeUtf8(`cosignature/v1\ntime ${timestampSeconds}\n${noteText}`);
}

const SUBTREE_LABEL = encodeUtf8('subtree/v1\n\0');
const MAX_OPAQUE_BYTES = 255;

/**
 * What an ML-DSA-44 cosigner signs of a checkpoint: a `cosigned_message` from leaf 0 to its size (tlog-cosignature,
 * "ML-DSA-44 signed message"). Undefined where that says less than the text: it is no checkpoint, or has extension lines,
 * which this message does not cover.
 */
export function cosignedSubtree(
  cosignerName: string,
  timestampSeconds: number,
  noteText: string,
): Uint8Array | undefined {
  const checkpoint = parseCheckpoint(noteText);
  if (isDenial(checkpoint) || checkpoint.extensions !== undefined) return undefined;
  const name = encodeUtf8(cosignerName);
  const origin = encodeUtf8(checkpoint.origin);
  if (name.byteLength > MAX_OPAQUE_BYTES || origin.byteLength > MAX_OPAQUE_BYTES) return undefined;
  const parts = [
    SUBTREE_LABEL,
    Uint8Array.of(name.byteLength),
    name,
    writeTimestamp(timestampSeconds),
    Uint8Array.of(origin.byteLength),
    origin,
    writeUint64(0),
    writeUint64(checkpoint.size),
    checkpoint.rootHash,
  ];
  const message = new Uint8Array(parts.reduce((length, part) => length + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    message.set(part, at);
    at += part.byteLength;
  }
  return message;
}

/** The u64 that starts a timestamped signature; undefined when it is missing or beyond 2^53 − 1 seconds. */
export function readTimestamp(signature: Uint8Array): number | undefined {
  if (signature.byteLength < 8) return undefined;
  const seconds = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  return seconds <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(seconds) : undefined;
}

export function writeTimestamp(seconds: number): Uint8Array {
  if (!Number.isSafeInteger(seconds) || seconds < 0)
    throw new TypeError('a timestamp is whole seconds since 1970');
  return writeUint64(seconds);
}

function writeUint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}
