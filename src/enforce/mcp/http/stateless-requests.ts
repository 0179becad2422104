import type { ServerResponse } from 'node:http';
import { encodeNotification } from '../answer.ts';
import type { RequestId } from '../message.ts';
import type { Presenter } from '../ports.ts';
import type { Channel, OpenChannel } from './channel.ts';
import { EventWriter } from './event-writer.ts';
import { findMember, replaceValue } from './json-members.ts';
import { idKey, partsOf, scalar } from './message-parts.ts';
import { sendError, sendJson } from './replies.ts';

const PROGRESS_TOKEN = ['params', '_meta', 'progressToken'];
const LOG_LEVEL = ['params', '_meta', 'io.modelcontextprotocol/logLevel'];
const SUBSCRIPTION = ['params', '_meta', 'io.modelcontextprotocol/subscriptionId'];

/** What HTTP says of a JSON-RPC error (2026-07-28, Protocol Version Header and lifecycle); everything else is 200. */
const STATUS_OF: Readonly<Record<number, number>> = {
  [-32601]: 404,
  [-32020]: 400,
  [-32021]: 400,
  [-32022]: 400,
};

/** One request that awaits its answer. */
interface Exchange {
  /** As the client wrote it. */
  readonly idText: string;
  readonly progressTokenText: string | undefined;
  readonly wantsLog: boolean;
  readonly response: ServerResponse;
  writer: EventWriter | undefined;
}

/**
 * Requests of the newer era (2026-07-28), each complete in itself: all share one channel. Clients number their requests
 * without knowing of each other, so a request travels under a number of ours; that and its progress token are all that
 * differs from what the client sent, and they are put back in what answers it.
 */
export class StatelessRequests {
  readonly #open: OpenChannel;
  readonly #exchanges = new Map<string, Exchange>();
  #channel: Channel | undefined;
  #count = 0;

  constructor(open: OpenChannel) {
    this.#open = open;
  }

  get isClogged(): boolean {
    return this.#channel?.isClogged ?? false;
  }

  get inFlight(): number {
    return this.#exchanges.size;
  }

  /** @param line a request of the newer era that parses. */
  receive(line: Buffer, response: ServerResponse, presenter?: Presenter): void {
    // Its client is gone already: nobody would hear of it, and nothing would cancel it.
    if (response.destroyed) return;
    const channel = this.#openChannel();
    this.#count += 1;
    const id = this.#count;
    const idSpan = findMember(line, ['id']);
    const tokenSpan = findMember(line, PROGRESS_TOKEN);
    if (idSpan === undefined) throw new TypeError('not a request');
    const exchange: Exchange = {
      idText: line.toString('utf8', idSpan.start, idSpan.end),
      progressTokenText: tokenSpan && line.toString('utf8', tokenSpan.start, tokenSpan.end),
      wantsLog: findMember(line, LOG_LEVEL) !== undefined,
      response,
      writer: undefined,
    };
    this.#exchanges.set(idKey(id), exchange);
    response.once('close', () => this.#closed(id, exchange));
    channel.receive(replaceAll(line, [['id'], PROGRESS_TOKEN], String(id)), presenter);
  }

  async close(): Promise<void> {
    await this.#channel?.close();
    this.#gone();
  }

  #openChannel(): Channel {
    if (this.#channel !== undefined && !this.#channel.isGone) return this.#channel;
    const channel = this.#open({
      toClient: (line, about) => this.#toClient(line, about),
      onGone: () => {
        if (this.#channel === channel) this.#gone();
      },
    });
    this.#channel = channel;
    return channel;
  }

  #toClient(line: Buffer, about: RequestId | undefined): void {
    const parts = partsOf(line);
    // Servers ask nothing of their own accord here (2026-07-28, Receiving Messages).
    if (parts === undefined || parts.kind === 'request') return;
    if (parts.kind === 'response') {
      const exchange = parts.id === null ? undefined : this.#exchanges.get(idKey(parts.id));
      if (parts.id === null || exchange === undefined) return;
      this.#exchanges.delete(idKey(parts.id));
      answer(exchange, replaceAll(line, [['id'], SUBSCRIPTION_OF_RESULT], exchange.idText));
      return;
    }
    this.#notify(line, parts.method, about);
  }

  #notify(line: Buffer, method: string, about: RequestId | undefined): void {
    const subscription = scalar(line, SUBSCRIPTION);
    if (subscription !== undefined && subscription !== null) {
      const exchange = this.#exchanges.get(idKey(subscription));
      if (exchange !== undefined) stream(exchange, replaceAll(line, [SUBSCRIPTION], exchange.idText));
      return;
    }
    if (method === 'notifications/progress') {
      const token = scalar(line, ['params', 'progressToken']);
      const exchange = typeof token === 'number' ? this.#exchanges.get(idKey(token)) : undefined;
      if (exchange?.progressTokenText === undefined) return;
      stream(exchange, replaceAll(line, [['params', 'progressToken']], exchange.progressTokenText));
      return;
    }
    if (method === 'notifications/cancelled') {
      this.#cancelled(line);
      return;
    }
    const owner = this.#ownerOf(method, about);
    if (owner !== undefined) stream(owner, line);
  }

  /** The upstream ends a subscription. */
  #cancelled(line: Buffer): void {
    const id = scalar(line, ['params', 'requestId']);
    const exchange = id === undefined || id === null ? undefined : this.#exchanges.get(idKey(id));
    if (id === undefined || id === null || exchange === undefined) return;
    this.#exchanges.delete(idKey(id));
    if (exchange.writer === undefined) {
      sendError(exchange.response, 502, { code: -32603, message: 'The MCP server cancelled the request.' });
    } else exchange.writer.end();
  }

  /**
   * Whose a notification without any mark is. INVARIANT: what an upstream says for one caller never reaches another: where
   * the transport does not tell and more than one could have caused it, it is dropped.
   */
  #ownerOf(method: string, about: RequestId | undefined): Exchange | undefined {
    if (about !== undefined) return this.#exchanges.get(idKey(about));
    const isLog = method === 'notifications/message';
    const [only, ...others] = [...this.#exchanges.values()].filter(({ wantsLog }) => !isLog || wantsLog);
    return others.length === 0 ? only : undefined;
  }

  /** Closing the response cancels the request (2026-07-28, Cancellation). */
  #closed(id: RequestId, exchange: Exchange): void {
    if (this.#exchanges.get(idKey(id)) !== exchange) return;
    this.#exchanges.delete(idKey(id));
    this.#channel?.receive(encodeNotification('notifications/cancelled', { requestId: id }));
  }

  #gone(): void {
    const left = [...this.#exchanges.values()];
    this.#exchanges.clear();
    for (const { response, writer } of left) {
      if (writer === undefined) {
        sendError(response, 502, { code: -32603, message: 'The MCP server is gone.' });
      } else writer.end();
    }
  }
}

const SUBSCRIPTION_OF_RESULT = ['result', '_meta', 'io.modelcontextprotocol/subscriptionId'];

function answer(exchange: Exchange, line: Buffer): void {
  const { response, writer } = exchange;
  if (writer !== undefined) {
    writer.event(line);
    writer.end();
    return;
  }
  const code = scalar(line, ['error', 'code']);
  sendJson(response, (typeof code === 'number' ? STATUS_OF[code] : undefined) ?? 200, line);
}

function stream(exchange: Exchange, line: Buffer): void {
  const { response } = exchange;
  if (response.destroyed) return;
  exchange.writer ??= new EventWriter(response);
  exchange.writer.event(line);
}

/** Replaces the values at these places, where there are any. */
function replaceAll(line: Buffer, paths: readonly (readonly string[])[], value: string): Buffer {
  return paths.reduce((text, path) => {
    const span = findMember(text, path);
    return span === undefined ? text : replaceValue(text, span, value);
  }, line);
}
