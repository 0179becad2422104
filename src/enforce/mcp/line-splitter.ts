const NEWLINE = 0x0a;
const FIRST_CAPACITY = 64 * 1024;

export interface LineSplitterOptions {
  /** Longest accepted line in bytes, its newline included. */
  readonly maxBytes: number;
  /** One line with its newline. The bytes are only lent when they are not copied: use them or keep them, don't write. */
  readonly onLine: (line: Buffer) => void;
  /** Called once per line that is too long, as soon as it is; the rest of it is skipped. */
  readonly onTooLong: () => void;
}

/**
 * Splits a byte stream at newlines in bounded memory. A line that lies within one chunk is passed on without being
 * copied; one that does not is gathered in a single growing buffer, so that tiny chunks cost no more than large ones.
 */
export class LineSplitter {
  readonly #options: LineSplitterOptions;
  #gathered: Buffer = Buffer.alloc(0);
  #length = 0;
  #skipping = false;

  constructor(options: LineSplitterOptions) {
    this.#options = options;
  }

  /** Bytes of an unfinished line. */
  get pendingBytes(): number {
    return this.#length;
  }

  push(chunk: Buffer): void {
    let start = 0;
    while (start < chunk.byteLength) {
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline === -1 ? chunk.byteLength : newline + 1;
      this.#take(chunk.subarray(start, end), newline !== -1);
      start = end;
    }
  }

  #take(piece: Buffer, ends: boolean): void {
    if (this.#skipping) {
      this.#skipping = !ends;
      return;
    }
    if (this.#length + piece.byteLength > this.#options.maxBytes) {
      this.#release();
      this.#skipping = !ends;
      this.#options.onTooLong();
      return;
    }
    if (ends && this.#length === 0) {
      this.#options.onLine(piece);
      return;
    }
    this.#gather(piece);
    if (!ends) return;
    const line = this.#gathered.subarray(0, this.#length);
    this.#release();
    this.#options.onLine(line);
  }

  #gather(piece: Buffer): void {
    const needed = this.#length + piece.byteLength;
    if (needed > this.#gathered.byteLength) {
      const capacity = Math.max(needed, FIRST_CAPACITY, this.#gathered.byteLength * 2);
      const larger = Buffer.allocUnsafe(Math.min(capacity, Math.max(needed, this.#options.maxBytes)));
      this.#gathered.copy(larger, 0, 0, this.#length);
      this.#gathered = larger;
    }
    piece.copy(this.#gathered, this.#length);
    this.#length = needed;
  }

  #release(): void {
    this.#gathered = Buffer.alloc(0);
    this.#length = 0;
  }
}
