import { randomFillSync } from 'node:crypto';

/** Randomness is fetched for many ids at once: a call for 16 bytes costs as much as one for 4096. */
const pool = Buffer.alloc(4096);
let used = pool.byteLength;

function randomBytes(count: number): Buffer {
  if (used + count > pool.byteLength) {
    randomFillSync(pool);
    used = 0;
  }
  used += count;
  return Buffer.from(pool.subarray(used - count, used));
}

/** A fresh UUIDv7 (RFC 9562 §5.7), the form AAT-02 §3.2 recommends for `jti`. */
export function newUuidV7(nowMs: number = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Math.trunc(nowMs), 0, 6);
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
