/**
 * Reads big-endian fields off untrusted bytes. Never throws: what runs past the end, or is longer than its bound, reads as
 * empty, and {@link ByteReader.isWhole} is false ever after.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;
  #isBroken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Whether every field was there, within its bound, and nothing is left over. */
  get isWhole(): boolean {
    return !this.#isBroken && this.#at === this.#bytes.byteLength;
  }

  bytes(count: number): Buffer {
    const end = this.#at + count;
    if (this.#isBroken || end > this.#bytes.byteLength) {
      this.#isBroken = true;
      return Buffer.alloc(0);
    }
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  u8(): number {
    const [byte = 0] = this.bytes(1);
    return byte;
  }

  u16(): number {
    const bytes = this.bytes(2);
    return bytes.byteLength === 2 ? bytes.readUInt16BE() : 0;
  }

  u32(): number {
    const bytes = this.bytes(4);
    return bytes.byteLength === 4 ? bytes.readUInt32BE() : 0;
  }

  u64(): bigint {
    const bytes = this.bytes(8);
    return bytes.byteLength === 8 ? bytes.readBigUInt64BE() : 0n;
  }

  /** A TPM2B: a 16-bit size and so many bytes. */
  sized(maxBytes: number): Buffer {
    const size = this.u16();
    if (size > maxBytes) this.#isBroken = true;
    return this.bytes(size);
  }
}
