import { type Denial, deny } from '../../denial/index.ts';
import type { InFlight } from './in-flight.ts';
import type { RequestId } from './message.ts';

/**
 * Requests in flight in one direction, by id; those whose requester no longer waits although they may still be worked on;
 * and the ids that were given up but may still be answered.
 *
 * INVARIANT: an id is in flight once (MCP: the requestor MUST NOT reuse ids). An id given up stays taken until it is
 * answered, so that a late answer is never read as the answer to another request. No request is answered twice.
 */
export class RequestTable<End> {
  readonly #open = new Map<RequestId, InFlight<End>>();
  readonly #unawaited = new Map<RequestId, InFlight<End>>();
  readonly #abandoned = new Set<RequestId>();
  readonly #maxOpen: number;
  readonly #maxBytes: number;
  readonly #toRequester: (bytes: Buffer) => void;
  #bytes = 0;
  #heldBytes = 0;

  constructor(
    limits: { maxInFlight: number; maxInFlightBytes: number },
    toRequester: (bytes: Buffer) => void,
  ) {
    this.#maxOpen = limits.maxInFlight;
    this.#maxBytes = limits.maxInFlightBytes;
    this.#toRequester = toRequester;
  }

  /** Bytes of requests that are being decided. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Why a request under this id cannot be taken, if it cannot. */
  refusalOf(id: RequestId): Denial | undefined {
    if (this.isTaken(id)) return deny('request.malformed', 'id is in flight already');
    const isFull = this.#open.size + this.#unawaited.size >= this.#maxOpen || this.#bytes >= this.#maxBytes;
    return isFull ? deny('request.too_large', 'too many requests in flight') : undefined;
  }

  isTaken(id: RequestId): boolean {
    return this.#open.has(id) || this.#unawaited.has(id) || this.#abandoned.has(id);
  }

  get(id: RequestId): InFlight<End> | undefined {
    return this.#open.get(id);
  }

  entries(): InFlight<End>[] {
    return [...this.#open.values()];
  }

  add(request: InFlight<End>): void {
    this.#open.set(request.id, request);
    this.#bytes += request.bytes;
    this.#heldBytes += request.bytes;
  }

  /** The bytes to forward, for the first and last time. */
  takeLine(request: InFlight<End>): Buffer | undefined {
    const { line } = request;
    request.line = undefined;
    this.#heldBytes -= line?.byteLength ?? 0;
    return line;
  }

  /** Answers the requester, unless it was answered or no longer wants to be. */
  answer(request: InFlight<End>, bytes: Buffer): void {
    this.close(request);
    if (!request.cancelled && !request.answered) this.#toRequester(bytes);
    request.answered = true;
  }

  /** The request is over; nothing where it is already, and another has its id. */
  close(request: InFlight<End>): void {
    if (this.#open.get(request.id) !== request) return;
    this.#bytes -= request.bytes;
    this.#open.delete(request.id);
  }

  /** The requester no longer waits, but whoever has the request may go on with it: it keeps its place until it is over. */
  setUnawaited(request: InFlight<End>): void {
    if (this.#open.get(request.id) !== request) return;
    this.#open.delete(request.id);
    this.#unawaited.set(request.id, request);
  }

  /** A request nobody waits for is over. */
  takeUnawaited(id: RequestId): InFlight<End> | undefined {
    const request = this.#unawaited.get(id);
    if (request === undefined) return undefined;
    this.#unawaited.delete(id);
    this.#bytes -= request.bytes;
    return request;
  }

  unawaited(): InFlight<End>[] {
    return [...this.#unawaited.values()];
  }

  /** Gives the request up; the oldest given-up ids are forgotten beyond the table's own bound. */
  abandon(request: InFlight<End>): void {
    this.close(request);
    if (this.#unawaited.get(request.id) === request) this.takeUnawaited(request.id);
    this.#abandoned.add(request.id);
    if (this.#abandoned.size <= this.#maxOpen) return;
    const [oldest] = this.#abandoned;
    if (oldest !== undefined) this.#abandoned.delete(oldest);
  }

  /** Whether `id` was given up; it is free again afterwards. */
  takeAbandoned(id: RequestId): boolean {
    return this.#abandoned.delete(id);
  }
}
