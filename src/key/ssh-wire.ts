/** Reads the SSH wire encoding (RFC 4251 §5). Every read is undefined once the bytes run out, and stays so. */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Whether everything was there, and nothing is left: bytes that nobody reads may mean something to others. */
  get isDone(): boolean {
    return !this.#failed && this.#at === this.#bytes.byteLength;
  }

  take(count: number): Buffer | undefined {
    if (this.#failed || this.#at + count > this.#bytes.byteLength) {
      this.#failed = true;
      return undefined;
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  uint32(): number | undefined {
    return this.take(4)?.readUInt32BE();
  }

  string(): Buffer | undefined {
    const length = this.uint32();
    return length === undefined ? undefined : this.take(length);
  }

  text(): string | undefined {
    return this.string()?.toString('latin1');
  }

  /** A positive integer in its shortest form, without the sign byte. */
  positive(): Buffer | undefined {
    const bytes = this.string();
    const [first = 0, second = 0] = bytes ?? [];
    const isShortest = first === 0 ? second >= 0x80 : first < 0x80;
    if (bytes === undefined || bytes.byteLength === 0 || !isShortest) {
      this.#failed = true;
      return undefined;
    }
    return first === 0 ? bytes.subarray(1) : bytes;
  }
}

/** A string of the SSH wire encoding: its length, and the bytes. */
export function sshString(content: string | Uint8Array): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.byteLength);
  return Buffer.concat([length, bytes]);
}
