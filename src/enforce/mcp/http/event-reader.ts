import { LineSplitter } from '../line-splitter.ts';

export interface EventHandlers {
  /** The data of one `message` event. */
  readonly onData: (data: Buffer) => void;
  readonly onId: (id: string) => void;
  readonly onRetry: (milliseconds: number) => void;
}

const LF = Buffer.from('\n');

/** Reads Server-Sent Events (WHATWG HTML, 9.2.6) in bounded memory, for what MCP uses of them. */
export class EventReader {
  readonly #handlers: EventHandlers;
  readonly #maxBytes: number;
  readonly #splitter: LineSplitter;
  #data: Buffer[] = [];
  #dataBytes = 0;
  #type = 'message';
  #tooLong = false;
  #endsInCarriageReturn = false;

  constructor(maxBytes: number, handlers: EventHandlers) {
    this.#maxBytes = maxBytes;
    this.#handlers = handlers;
    this.#splitter = new LineSplitter({
      maxBytes: maxBytes + 64,
      onLine: (line) => this.#line(line),
      onTooLong: () => {
        this.#tooLong = true;
      },
    });
  }

  /** @returns false once an event is over the bound: nothing of the stream is to be used any more. */
  push(chunk: Buffer): boolean {
    this.#splitter.push(this.#normalised(chunk));
    return !this.#tooLong;
  }

  /** Lines end in CR, LF or both; the splitter knows LF. */
  #normalised(chunk: Buffer): Buffer {
    let bytes = chunk;
    if (this.#endsInCarriageReturn && bytes[0] === 0x0a) bytes = bytes.subarray(1);
    this.#endsInCarriageReturn = chunk.at(-1) === 0x0d;
    if (!bytes.includes(0x0d)) return bytes;
    return Buffer.from(bytes.toString('latin1').replace(/\r\n?/g, '\n'), 'latin1');
  }

  #line(line: Buffer): void {
    const text = line.subarray(0, -1);
    if (text.byteLength === 0) {
      this.#dispatch();
      return;
    }
    const colon = text.indexOf(0x3a);
    const field = text.toString('latin1', 0, colon === -1 ? text.byteLength : colon);
    const from = colon === -1 ? text.byteLength : colon + (text[colon + 1] === 0x20 ? 2 : 1);
    const value = text.subarray(from);
    switch (field) {
      case 'data':
        // Copied: the bytes are only lent, and an event may come in many pieces.
        this.#data.push(Buffer.from(value));
        this.#dataBytes += value.byteLength + 1;
        if (this.#dataBytes > this.#maxBytes) this.#tooLong = true;
        return;
      case 'event':
        this.#type = value.toString('utf8');
        return;
      case 'id':
        if (value.byteLength <= 1024 && /^[\x21-\x7e]+$/.test(value.toString('latin1'))) {
          this.#handlers.onId(value.toString('latin1'));
        }
        return;
      case 'retry':
        if (/^\d{1,9}$/.test(value.toString('latin1')))
          this.#handlers.onRetry(Number(value.toString('latin1')));
    }
  }

  #dispatch(): void {
    const data = this.#data.flatMap((part, index) => (index === 0 ? [part] : [LF, part]));
    const type = this.#type;
    this.#data = [];
    this.#dataBytes = 0;
    this.#type = 'message';
    if (data.length > 0 && type === 'message' && !this.#tooLong) this.#handlers.onData(Buffer.concat(data));
  }
}
