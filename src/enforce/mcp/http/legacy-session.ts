import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { isJsonObject, type JsonValue } from '../../../codec/index.ts';
import { isRequestId, type Message, type RequestId, type RequestMessage } from '../message.ts';
import type { Presenter } from '../ports.ts';
import type { Channel, OpenChannel } from './channel.ts';
import { EventLog, eventId, type StoredEvent } from './event-log.ts';
import { EventWriter } from './event-writer.ts';
import { idKey, partsOf, scalar } from './message-parts.ts';
import { sendEmpty, sendError, sendJson } from './replies.ts';

export interface LegacyLimits {
  /** How long an answer may take before the response becomes a stream that can be resumed, milliseconds. */
  readonly streamAfterMs: number;
  /** When a client whose stream broke should come back, milliseconds. */
  readonly retryMs: number;
  readonly maxReplayBytes: number;
  readonly maxReplayEvents: number;
}

export const DEFAULT_LEGACY_LIMITS: LegacyLimits = {
  streamAfterMs: 500,
  retryMs: 1000,
  maxReplayBytes: 2 * 1024 * 1024,
  maxReplayEvents: 1024,
};

/** A stream of events to the client, attached to a response or waiting for the client to come back. */
interface Stream {
  readonly number: number;
  writer: EventWriter | undefined;
  /** Id of the last event that was written to a response. */
  written: string;
}

/** One request of the client's that awaits its answer. */
interface Exchange {
  readonly id: RequestId;
  readonly progressToken: JsonValue | undefined;
  readonly response: ServerResponse;
  /** It begins the session: where it fails, there is none. */
  readonly begins: boolean;
  stream: Stream | undefined;
  timer: NodeJS.Timeout | undefined;
}

/**
 * One session of a client of the older era (2025-11-25 and before): a channel of its own, whose messages go out on exactly
 * one stream each. A broken connection is no cancellation: the client can come back and read on.
 */
export class LegacySession {
  /** Unguessable; the only thing that names the session. */
  readonly id = randomBytes(24).toString('base64url');
  readonly principal: string;
  readonly #channel: Channel;
  readonly #limits: LegacyLimits;
  readonly #log: EventLog;
  readonly #exchanges = new Map<string, Exchange>();
  readonly #streams = new Map<number, Stream>();
  readonly #standalone: Stream;
  readonly #onGone: () => void;
  #version: string | undefined;
  #lastUsedMs = performance.now();
  #ended = false;

  /** @param onGone the session is over; it is called once. */
  constructor(options: {
    readonly principal: string;
    readonly open: OpenChannel;
    readonly limits: LegacyLimits;
    readonly onGone: () => void;
  }) {
    this.principal = options.principal;
    this.#limits = options.limits;
    this.#onGone = options.onGone;
    this.#log = new EventLog({
      maxBytes: options.limits.maxReplayBytes,
      maxEvents: options.limits.maxReplayEvents,
    });
    this.#standalone = this.#openStream();
    this.#channel = options.open({
      toClient: (line, about) => this.#toClient(line, about),
      onGone: () => this.#end(),
    });
  }

  get isClogged(): boolean {
    return this.#channel.isClogged;
  }

  /** Whether a request may say this version: the negotiated one, once there is one. */
  speaks(version: string | undefined): boolean {
    return version === undefined || this.#version === undefined || version === this.#version;
  }

  /** How long nobody has used the session, milliseconds; 0 while anything is under way. */
  get idleMs(): number {
    const inUse =
      this.#exchanges.size > 0 || [...this.#streams.values()].some(({ writer }) => writer?.isOpen);
    return inUse ? 0 : performance.now() - this.#lastUsedMs;
  }

  receive(message: Message, line: Buffer, response: ServerResponse, presenter?: Presenter): void {
    this.#lastUsedMs = performance.now();
    if (message.kind === 'request') {
      this.#request(message, line, response, presenter);
      return;
    }
    this.#channel.receive(line);
    if (message.kind === 'notification' && message.method === 'notifications/cancelled') {
      this.#cancelled(message.params.requestId);
    }
    sendEmpty(response, 202);
  }

  /** The client wants no answer any more, and gets none: what it waits with is let go. */
  #cancelled(id: JsonValue | undefined): void {
    const exchange = isRequestId(id) ? this.#exchanges.get(idKey(id)) : undefined;
    if (exchange === undefined || exchange.begins) return;
    this.#exchanges.delete(idKey(exchange.id));
    clearTimeout(exchange.timer);
    if (exchange.stream === undefined) sendEmpty(exchange.response, 202);
    else this.#endStream(exchange.stream);
  }

  /** The client listens for what belongs to none of its requests, or comes back to a stream that broke. */
  listen(response: ServerResponse, lastEventId: string | undefined): void {
    this.#lastUsedMs = performance.now();
    if (lastEventId === undefined) {
      this.#attach(this.#standalone, response);
      return;
    }
    const missed = this.#log.after(lastEventId);
    if (missed === undefined) {
      sendError(response, 400, { code: -32600, message: 'There is no going on from this event.' });
      return;
    }
    const writer = new EventWriter(response, this.#headers());
    const open = this.#streams.get(missed.stream);
    open?.writer?.end();
    const stream: Stream = open ?? { number: missed.stream, writer: undefined, written: lastEventId };
    stream.writer = writer;
    for (const event of missed.events) this.#write(stream, event);
    if (open === undefined) writer.end();
  }

  async close(): Promise<void> {
    await this.#channel.close();
    this.#end();
  }

  #request(
    message: RequestMessage,
    line: Buffer,
    response: ServerResponse,
    presenter: Presenter | undefined,
  ): void {
    const { id } = message;
    const key = idKey(id);
    if (this.#exchanges.has(key)) {
      sendError(response, 400, { code: -32600, message: 'The id is in flight already.' });
      return;
    }
    const exchange: Exchange = {
      id,
      progressToken: progressTokenOf(message),
      response,
      begins: message.method === 'initialize',
      stream: undefined,
      timer: undefined,
    };
    exchange.timer = setTimeout(() => this.#streamOf(exchange), this.#limits.streamAfterMs).unref();
    this.#exchanges.set(key, exchange);
    this.#channel.receive(line, presenter);
  }

  #toClient(line: Buffer, about: RequestId | undefined): void {
    const parts = partsOf(line);
    if (parts === undefined) return;
    if (parts.kind === 'response') {
      const exchange = parts.id === null ? undefined : this.#exchanges.get(idKey(parts.id));
      if (exchange !== undefined) this.#answer(exchange, line);
      return;
    }
    const isProgress = parts.kind === 'notification' && parts.method === 'notifications/progress';
    const owner = isProgress
      ? this.#ownerOf(scalar(line, ['params', 'progressToken']))
      : this.#relatedTo(about);
    if (owner === undefined) {
      this.#sendOn(this.#standalone, line);
      return;
    }
    const stream = this.#streamOf(owner);
    if (stream !== undefined) this.#sendOn(stream, line);
  }

  #answer(exchange: Exchange, line: Buffer): void {
    const { id, response, stream, timer } = exchange;
    this.#exchanges.delete(idKey(id));
    clearTimeout(timer);
    this.#lastUsedMs = performance.now();
    if (exchange.begins) this.#version = stringOr(scalar(line, ['result', 'protocolVersion']));
    const failed = exchange.begins && this.#version === undefined;
    if (failed) void this.close();
    if (stream === undefined) {
      sendJson(response, 200, line, failed ? {} : this.#headers());
      return;
    }
    this.#sendOn(stream, line);
    this.#endStream(stream);
  }

  #endStream(stream: Stream): void {
    this.#log.end(stream.number);
    this.#streams.delete(stream.number);
    stream.writer?.end();
  }

  /** The stream that answers a request, begun now if it was not; undefined where its client is gone before it could. */
  #streamOf(exchange: Exchange): Stream | undefined {
    if (exchange.stream !== undefined) return exchange.stream;
    clearTimeout(exchange.timer);
    const stream = this.#openStream();
    exchange.stream = stream;
    this.#attach(stream, exchange.response);
    return stream;
  }

  #openStream(): Stream {
    const number = this.#log.open();
    const stream: Stream = { number, writer: undefined, written: this.#log.position(number) };
    this.#streams.set(stream.number, stream);
    return stream;
  }

  #attach(stream: Stream, response: ServerResponse): void {
    if (response.headersSent || response.destroyed) return;
    stream.writer?.end();
    stream.writer = new EventWriter(response, this.#headers());
    stream.writer.prime(stream.written, this.#limits.retryMs);
    // What was said before the client listened.
    for (const event of this.#log.after(stream.written)?.events ?? []) this.#write(stream, event);
  }

  #sendOn(stream: Stream, line: Buffer): void {
    const event = this.#log.add(stream.number, line);
    if (stream.writer?.isOpen === true) this.#write(stream, event);
  }

  #write(stream: Stream, { sequence, line }: StoredEvent): void {
    stream.written = eventId(stream.number, sequence);
    stream.writer?.event(line, stream.written);
  }

  #ownerOf(token: unknown): Exchange | undefined {
    if (token === undefined) return undefined;
    return [...this.#exchanges.values()].find(({ progressToken }) => progressToken === token);
  }

  /**
   * Whose stream a message belongs on: the request it was sent for, where that is known or only one is under way; else,
   * where the client does not listen besides, the oldest.
   */
  #relatedTo(about: RequestId | undefined): Exchange | undefined {
    const known = about === undefined ? undefined : this.#exchanges.get(idKey(about));
    if (known !== undefined) return known;
    const open = [...this.#exchanges.values()];
    return open.length === 1 || this.#standalone.writer?.isOpen !== true ? open[0] : undefined;
  }

  #headers(): Record<string, string> {
    return { 'Mcp-Session-Id': this.id };
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const { response, timer } of this.#exchanges.values()) {
      clearTimeout(timer);
      sendError(response, 502, { code: -32603, message: 'The session ended before the answer.' });
    }
    this.#exchanges.clear();
    for (const { writer } of this.#streams.values()) writer?.end();
    this.#streams.clear();
    this.#onGone();
  }
}

function progressTokenOf({ params }: RequestMessage): JsonValue | undefined {
  const { _meta: meta } = params;
  return isJsonObject(meta) ? meta.progressToken : undefined;
}

function stringOr(value: string | number | null | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
