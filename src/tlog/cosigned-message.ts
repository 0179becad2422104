import { encodeUtf8 } from './note-text.ts';

/** What a `cosignature/v1` signs (tlog-cosignature, "Ed25519 signed message"). The header separates it from a log's own signature. */
export function cosignedMessage(timestampSeconds: number, noteText: string): Uint8Array {
  return encodeUtf8(`cosignature/v1\ntime ${timestampSeconds}\n${noteText}`);
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
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(seconds));
  return bytes;
}
