import { FAULTS, type Fault } from '../answer.ts';
import { parseMessage, type RequestId, type RequestMessage } from '../message.ts';
import { EventReader } from './event-reader.ts';
import { onOneLine } from './json-members.ts';
import { partsOf, scalar } from './message-parts.ts';
import { type RequestHeaders, standardHeaders } from './standard-headers.ts';
import type { LinkEvents, OpenLink, UpstreamLink } from './upstream-link.ts';

export interface HttpLinkOptions {
  readonly url: URL;
  /** The credential for the upstream, read when it is needed: never one that a client of ours sent. */
  readonly authorization?: () => string | undefined;
  /** Longest message of the upstream's. */
  readonly maxMessageBytes: number;
  /** Until the response's headers are there, milliseconds. */
  readonly connectTimeoutMs?: number;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch;
}

const CONNECT_TIMEOUT_MS = 600_000;
const STOP_TIMEOUT_MS = 1_000;
const MAX_ERROR_BYTES = 64 * 1024;
const MAX_RESUMPTIONS = 8;
const LISTEN_AGAIN_MS = 1_000;

/**
 * An upstream that is reached over streamable HTTP, of either era.
 *
 * INVARIANT: what goes up is the line that was decided on, and headers made from it; nothing of what a client sent to the
 * gateway besides. Redirects are not followed: the URL was configured, and what it answers chooses no other.
 */
export function httpLink(options: HttpLinkOptions): OpenLink {
  return (events) => new HttpLink(options, events);
}

class HttpLink implements UpstreamLink {
  readonly #options: HttpLinkOptions;
  readonly #events: LinkEvents;
  readonly #fetch: typeof fetch;
  readonly #stop = new AbortController();
  /** Streams of requests that have no answer yet, to be closed when they are cancelled. */
  readonly #open = new Map<RequestId, AbortController>();
  /** Order is kept until a session has begun: what follows needs its id. */
  #beginning: Promise<void> | undefined;
  #session: string | undefined;
  #version: string | undefined;
  #backlogBytes = 0;
  #isGone = false;

  constructor(options: HttpLinkOptions, events: LinkEvents) {
    this.#options = options;
    this.#events = events;
    this.#fetch = options.fetch ?? fetch;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  send(line: Buffer): void {
    if (this.#isGone) return;
    const message = parseMessage(line, { maxBytes: line.byteLength, maxDepth: 256 });
    if (message.kind === 'refused') return;
    if (message.kind === 'request') {
      const sending = this.#request(message, line);
      if (message.method === 'initialize') this.#beginning = sending;
      return;
    }
    if (message.kind === 'notification' && message.method === 'notifications/cancelled') {
      const { requestId } = message.params;
      if (typeof requestId === 'string' || typeof requestId === 'number') this.#open.get(requestId)?.abort();
      // The newer era cancels by closing the response, and knows no such notification over HTTP.
      if (this.#session === undefined) return;
    }
    void this.#tell(line, message.kind === 'notification' ? message.method : undefined);
  }

  async stop(): Promise<void> {
    this.#isGone = true;
    this.#stop.abort();
    if (this.#session === undefined) return;
    try {
      await this.#fetch(this.#options.url, {
        method: 'DELETE',
        headers: this.#headers({}),
        redirect: 'manual',
        signal: AbortSignal.timeout(STOP_TIMEOUT_MS),
      });
    } catch {
      // Whether it heard is its own business: nothing more is sent under this session.
    }
  }

  async #request(message: RequestMessage, line: Buffer): Promise<void> {
    const { id, method } = message;
    const abort = new AbortController();
    this.#open.set(id, abort);
    this.#backlogBytes += line.byteLength;
    let fault: Fault | undefined;
    try {
      if (method !== 'initialize') await this.#beginning;
      const response = await this.#post(line, standardHeaders(message), abort.signal);
      if (method === 'initialize') this.#session = response.headers.get('mcp-session-id') ?? undefined;
      if (await this.#read(response, id, abort.signal)) return;
      fault = FAULTS.silent;
    } catch (error) {
      fault = error instanceof Oversized ? FAULTS.oversized : FAULTS.unreachable;
    } finally {
      this.#open.delete(id);
      this.#backlogBytes -= line.byteLength;
    }
    if (this.#isGone) return;
    // Its stream was closed because it was cancelled: whether it was done all the same will not be heard.
    this.#events.onLost(id, fault);
  }

  /** Sends what has no answer. */
  async #tell(line: Buffer, method: string | undefined): Promise<void> {
    this.#backlogBytes += line.byteLength;
    try {
      await this.#beginning;
      const response = await this.#post(line, {}, undefined);
      await response.body?.cancel();
      if (method === 'notifications/initialized') void this.#listen();
    } catch {
      // Lost, as notifications may be.
    } finally {
      this.#backlogBytes -= line.byteLength;
    }
  }

  async #post(line: Buffer, headers: RequestHeaders, abort: AbortSignal | undefined): Promise<Response> {
    const { url, connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#options;
    const slow = new AbortController();
    const timer = setTimeout(() => slow.abort(), connectTimeoutMs).unref();
    const signals = [this.#stop.signal, slow.signal];
    try {
      return await this.#fetch(url, {
        method: 'POST',
        headers: this.#headers({
          ...headers,
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
        }),
        body: line.subarray(0, -1),
        redirect: 'manual',
        signal: AbortSignal.any(abort === undefined ? signals : [...signals, abort]),
      });
    } finally {
      clearTimeout(timer);
    }
  }

  #headers(more: RequestHeaders): RequestHeaders {
    const authorization = this.#options.authorization?.();
    return {
      ...(this.#session === undefined ? {} : { 'Mcp-Session-Id': this.#session }),
      ...(this.#version === undefined ? {} : { 'MCP-Protocol-Version': this.#version }),
      ...(authorization === undefined ? {} : { Authorization: authorization }),
      ...more,
    };
  }

  /** Passes on what the response holds; whether the answer to `id` was in it. */
  async #read(response: Response, id: RequestId | undefined, signal: AbortSignal): Promise<boolean> {
    const type = response.headers.get('content-type') ?? '';
    if (/^text\/event-stream\b/i.test(type) && response.status === 200) {
      return this.#readStream(response, id, signal);
    }
    const isError = response.status < 200 || response.status > 299;
    const maxBytes = isError ? MAX_ERROR_BYTES : this.#options.maxMessageBytes;
    const body = await readAll(response, maxBytes);
    if (response.status === 404 && this.#session !== undefined) {
      // The session is over (2025-11-25, Session Management).
      this.#end(FAULTS.exited);
      return true;
    }
    if (!/^application\/json\b/i.test(type) || (response.status >= 300 && response.status < 400))
      return false;
    return this.#deliver(body, id);
  }

  async #readStream(response: Response, id: RequestId | undefined, signal: AbortSignal): Promise<boolean> {
    let answered = false;
    let lastEventId: string | undefined;
    let retryMs = 1000;
    for (let resumption = 0; ; resumption += 1) {
      const reader = new EventReader(this.#options.maxMessageBytes, {
        onData: (data) => {
          answered = this.#deliver(data, id) || answered;
        },
        onId: (eventId) => {
          lastEventId = eventId;
        },
        onRetry: (milliseconds) => {
          retryMs = milliseconds;
        },
      });
      try {
        for await (const chunk of response.body ?? []) {
          if (!reader.push(Buffer.from(chunk))) throw new Oversized();
        }
      } catch (error) {
        if (error instanceof Oversized || signal.aborted || this.#isGone) throw error;
      }
      // Only the older era can be asked for what was missed.
      if (answered || id === undefined || lastEventId === undefined || this.#session === undefined) {
        return answered;
      }
      if (resumption === MAX_RESUMPTIONS || signal.aborted || this.#isGone) return false;
      await sleep(Math.min(retryMs, 10_000));
      const again = await this.#get(lastEventId, signal);
      if (again === undefined) return false;
      response = again;
    }
  }

  /** What belongs to none of our requests (2025-11-25, Listening for Messages from the Server). */
  async #listen(): Promise<void> {
    try {
      while (!this.#isGone) {
        const response = await this.#get(undefined, this.#stop.signal);
        if (response === undefined) return;
        await this.#readStream(response, undefined, this.#stop.signal);
        await sleep(LISTEN_AGAIN_MS);
      }
    } catch {
      // Servers need not offer it.
    }
  }

  async #get(lastEventId: string | undefined, signal: AbortSignal): Promise<Response | undefined> {
    const response = await this.#fetch(this.#options.url, {
      headers: this.#headers({
        Accept: 'text/event-stream',
        ...(lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }),
      }),
      redirect: 'manual',
      signal: AbortSignal.any([this.#stop.signal, signal]),
    });
    const isStream = /^text\/event-stream\b/i.test(response.headers.get('content-type') ?? '');
    if (response.status === 200 && isStream) return response;
    await response.body?.cancel();
    return undefined;
  }

  /** @returns whether it was the answer to `about`. */
  #deliver(data: Buffer, about: RequestId | undefined): boolean {
    if (data.byteLength === 0 || this.#isGone) return false;
    const line = onOneLine(data);
    const parts = partsOf(line);
    // INVARIANT: a response answers its own request and no other: what else an upstream puts into it is not an answer.
    if (parts?.kind === 'response' && parts.id !== about) return false;
    if (parts?.kind === 'response') this.#version ??= versionOf(line);
    this.#events.onLine(line, about);
    return parts?.kind === 'response';
  }

  #end(fault: Fault): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#stop.abort();
    this.#events.onGone(fault);
  }
}

class Oversized extends Error {}

function versionOf(line: Buffer): string | undefined {
  const version = scalar(line, ['result', 'protocolVersion']);
  return typeof version === 'string' && /^[\w.-]{1,64}$/.test(version) ? version : undefined;
}

async function readAll(response: Response, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw new Oversized();
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}
