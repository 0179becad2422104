import { type Denial, deny } from '../denial/index.ts';
import { TILE_WIDTH } from './tile-path.ts';

/** Longest entry a bundle can hold (tlog-tiles, "Log entries"). */
export const MAX_ENTRY_BYTES = 0xffff;

const PREFIX_BYTES = 2;

/**
 * Entries, each behind its length as a big-endian uint16 (tlog-tiles, "Log entries").
 * @throws TypeError when there are none, more than 256, or one is too long.
 */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length < 1 || entries.length > TILE_WIDTH) throw new TypeError('a bundle has 1 to 256 entries');
  let length = 0;
  for (const entry of entries) {
    if (entry.byteLength > MAX_ENTRY_BYTES)
      throw new TypeError(`an entry has at most ${MAX_ENTRY_BYTES} bytes`);
    length += PREFIX_BYTES + entry.byteLength;
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const entry of entries) {
    view.setUint16(at, entry.byteLength);
    bytes.set(entry, at + PREFIX_BYTES);
    at += PREFIX_BYTES + entry.byteLength;
  }
  return bytes;
}

/** Exactly `width` entries of a bundle, views into its bytes. Their hashes are still to be checked against level 0. */
export function parseEntryBundle(bytes: Uint8Array, width: number): Uint8Array[] | Denial {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    if (entries.length === width) return deny('log.unavailable', 'entry bundle is longer than its width');
    if (at + PREFIX_BYTES > bytes.byteLength) return deny('log.unavailable', 'entry bundle is cut off');
    const end = at + PREFIX_BYTES + view.getUint16(at);
    if (end > bytes.byteLength) return deny('log.unavailable', 'entry bundle is cut off');
    entries.push(bytes.subarray(at + PREFIX_BYTES, end));
    at = end;
  }
  if (entries.length !== width) return deny('log.unavailable', 'entry bundle is shorter than its width');
  return entries;
}
