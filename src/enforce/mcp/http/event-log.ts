/** One event that was sent, or would have been. */
export interface StoredEvent {
  readonly stream: number;
  readonly sequence: number;
  readonly line: Buffer;
}

interface StreamState {
  /** Of the newest event. */
  sequence: number;
  /** Of the newest event that is forgotten. */
  forgotten: number;
  kept: number;
  ended: boolean;
}

const EVENT_ID = /^(\d{1,9})-(\d{1,9})$/;

/**
 * What was sent on the streams of one session, for clients that come back with `Last-Event-ID` (2025-11-25, Resumability
 * and Redelivery). Bounded: the oldest events are forgotten, and who needs one of those is told so.
 */
export class EventLog {
  readonly #events: StoredEvent[] = [];
  readonly #streams = new Map<number, StreamState>();
  readonly #maxBytes: number;
  readonly #maxEvents: number;
  #opened = 0;
  #bytes = 0;

  constructor(limits: { readonly maxBytes: number; readonly maxEvents: number }) {
    this.#maxBytes = limits.maxBytes;
    this.#maxEvents = limits.maxEvents;
  }

  /** Opens a stream; numbers are not used twice. */
  open(): number {
    this.#opened += 1;
    this.#streams.set(this.#opened, { sequence: 0, forgotten: 0, kept: 0, ended: false });
    return this.#opened;
  }

  add(stream: number, line: Buffer): StoredEvent {
    const state = this.#streams.get(stream);
    if (state === undefined) throw new TypeError('no such stream');
    state.sequence += 1;
    state.kept += 1;
    const event: StoredEvent = { stream, sequence: state.sequence, line };
    this.#events.push(event);
    this.#bytes += line.byteLength;
    while (this.#events.length > this.#maxEvents || this.#bytes > this.#maxBytes) this.#forgetOldest();
    return event;
  }

  /** Nothing more comes on the stream; what it carried can still be asked for. */
  end(stream: number): void {
    const state = this.#streams.get(stream);
    if (state === undefined) return;
    state.ended = true;
    if (state.kept === 0) this.#streams.delete(stream);
  }

  /** Id of the newest event of a stream. */
  position(stream: number): string {
    return eventId(stream, this.#streams.get(stream)?.sequence ?? 0);
  }

  /**
   * What followed on the same stream, and on no other; undefined where the id is none of this session's or something
   * after it is forgotten.
   */
  after(
    lastEventId: string,
  ): { readonly stream: number; readonly events: readonly StoredEvent[] } | undefined {
    const [, streamText, sequenceText] = EVENT_ID.exec(lastEventId) ?? [];
    const stream = Number(streamText);
    const sequence = Number(sequenceText);
    const state = this.#streams.get(stream);
    if (state === undefined || sequence > state.sequence || sequence < state.forgotten) return undefined;
    return {
      stream,
      events: this.#events.filter((event) => event.stream === stream && event.sequence > sequence),
    };
  }

  #forgetOldest(): void {
    const oldest = this.#events.shift();
    if (oldest === undefined) return;
    this.#bytes -= oldest.line.byteLength;
    const state = this.#streams.get(oldest.stream);
    if (state === undefined) return;
    state.forgotten = oldest.sequence;
    state.kept -= 1;
    if (state.ended && state.kept === 0) this.#streams.delete(oldest.stream);
  }
}

export function eventId(stream: number, sequence: number): string {
  return `${stream}-${sequence}`;
}
