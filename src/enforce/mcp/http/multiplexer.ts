import { isJsonObject, type JsonObject } from '../../../codec/index.ts';
import { encodeMessage } from '../answer.ts';
import { eraOf } from '../era.ts';
import { isRequestId, parseMessage, type RequestId, type RequestMessage } from '../message.ts';
import type { Presenter } from '../ports.ts';
import type { Channel, ChannelEvents, OpenChannel } from './channel.ts';
import { MODERN_VERSIONS } from './header-agreement.ts';
import { findMember, replaceValue } from './json-members.ts';
import { mergeBeginnings, prefixListed } from './merged-answers.ts';
import { idKey, partsOf, scalar } from './message-parts.ts';
import { isUpstreamId, type Prefixed, prefixUri, splitName, splitUri } from './upstream-names.ts';

interface Upstream {
  readonly id: string;
  readonly channel: Channel;
}

/** A request of the client's that went to one upstream, or to all. */
interface Exchange {
  readonly method: string;
  /** Those that have not answered. */
  readonly waiting: Set<string>;
  readonly answers: Map<string, JsonObject>;
  /** For lists: whose page it is. */
  readonly page: number | undefined;
  readonly modern: boolean;
  acknowledged: boolean;
}

const LISTS = new Set(['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list']);
const TO_ALL = new Set(['initialize', 'server/discover', 'logging/setLevel', 'subscriptions/listen']);
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const INVALID_PARAMS = -32602;
const METHOD_NOT_FOUND = -32601;

/**
 * Several upstreams as one: what each offers has its id in front of its name (`fs__read_file`, `fs+file:///a`), and goes to
 * that upstream under its own name. Lists are told upstream by upstream, a page or more each.
 *
 * INVARIANT: names are taken apart before anything is decided: what an upstream's session decides on is the line that it
 * forwards. An upstream sees nothing that was for another, and answers nothing that it was not asked.
 */
export function multiplexer(upstreams: ReadonlyMap<string, OpenChannel>): OpenChannel {
  if (![...upstreams.keys()].every(isUpstreamId)) throw new TypeError('not an upstream id');
  return (events) => new Multiplexer(upstreams, events);
}

class Multiplexer implements Channel {
  readonly #events: ChannelEvents;
  readonly #upstreams: readonly Upstream[];
  readonly #exchanges = new Map<string, Exchange>();
  #open: number;

  constructor(upstreams: ReadonlyMap<string, OpenChannel>, events: ChannelEvents) {
    this.#events = events;
    this.#open = upstreams.size;
    this.#upstreams = [...upstreams].map(([id, open]) => ({
      id,
      channel: open({
        toClient: (line, about) => this.#fromUpstream(id, line, about),
        onGone: () => this.#gone(id),
      }),
    }));
  }

  get isGone(): boolean {
    return this.#open === 0;
  }

  get isClogged(): boolean {
    return this.#upstreams.some(({ channel }) => channel.isClogged);
  }

  receive(line: Buffer, presenter?: Presenter): void {
    const message = parseMessage(line, { maxBytes: line.byteLength, maxDepth: 64 });
    switch (message.kind) {
      case 'request':
        this.#request(message, line, presenter);
        return;
      case 'response':
        this.#response(message.id, line);
        return;
      case 'notification': {
        const { requestId } = message.params;
        const exchange =
          message.method === 'notifications/cancelled' && isRequestId(requestId)
            ? this.#exchanges.get(idKey(requestId))
            : undefined;
        if (exchange !== undefined && isRequestId(requestId)) this.#exchanges.delete(idKey(requestId));
        for (const { id, channel } of this.#upstreams) {
          if (message.method !== 'notifications/cancelled' || exchange?.waiting.has(id))
            channel.receive(line);
        }
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#upstreams.map(({ channel }) => channel.close()));
  }

  #request(message: RequestMessage, line: Buffer, presenter: Presenter | undefined): void {
    const { id, method, params } = message;
    if (method === 'ping') {
      this.#answer(id, { result: {} });
      return;
    }
    if (LISTS.has(method)) {
      this.#list(message, line, presenter);
      return;
    }
    if (TO_ALL.has(method)) {
      const { notifications } = params;
      if (isJsonObject(notifications) && 'resourceSubscriptions' in notifications) {
        this.#refuse(id, INVALID_PARAMS, 'Resources of several servers cannot be subscribed to at once.');
        return;
      }
      this.#send(message, line, this.#upstreams.filter(isThere), undefined, presenter);
      return;
    }
    const routed = routeOf(message);
    const upstream = this.#upstreams.find(({ id: name }) => name === routed?.target.upstream);
    const span = routed && findMember(line, routed.path);
    if (routed === undefined || upstream === undefined || span === undefined) {
      const isRoutable = routed !== undefined || method in ROUTED_BY;
      this.#refuse(id, isRoutable ? INVALID_PARAMS : METHOD_NOT_FOUND, 'No server here has that.');
      return;
    }
    const own = replaceValue(line, span, JSON.stringify(routed.target.name));
    this.#send(message, own, [upstream], undefined, presenter);
  }

  /** The cursor of a page says whose it is: `1` begins the second upstream's list, `1:abc` goes on with it. */
  #list(message: RequestMessage, line: Buffer, presenter: Presenter | undefined): void {
    const { cursor } = message.params;
    const [, index = '0', rest] = /^(\d{1,3})(?::(.*))?$/s.exec(String(cursor ?? '0')) ?? [];
    const page = Number(index);
    const upstream = this.#upstreams[page];
    if (
      (cursor !== undefined && typeof cursor !== 'string') ||
      upstream === undefined ||
      !isThere(upstream)
    ) {
      const modern = eraOf(message.params).kind === 'modern';
      this.#answerPage(message.id, { method: message.method, page, modern }, undefined);
      return;
    }
    const span = findMember(line, ['params', 'cursor']);
    const own =
      span === undefined
        ? line
        : rest === undefined
          ? removeCursor(line)
          : replaceValue(line, span, JSON.stringify(rest));
    this.#send(message, own, [upstream], page, presenter);
  }

  #send(
    { id, method, params }: RequestMessage,
    line: Buffer,
    upstreams: readonly Upstream[],
    page: number | undefined,
    presenter: Presenter | undefined,
  ): void {
    if (upstreams.length === 0) {
      this.#refuse(id, -32603, 'No server is there.');
      return;
    }
    const waiting = new Set(upstreams.map(({ id: name }) => name));
    const modern = eraOf(params).kind === 'modern';
    this.#exchanges.set(idKey(id), {
      method,
      waiting,
      answers: new Map(),
      page,
      modern,
      acknowledged: false,
    });
    for (const { channel } of upstreams) channel.receive(line, presenter);
  }

  /** The client answers what an upstream asked. */
  #response(id: RequestId, line: Buffer): void {
    const asked = typeof id === 'string' ? readQuestionId(id) : undefined;
    const upstream = this.#upstreams.find(({ id: name }) => name === asked?.upstream);
    const span = findMember(line, ['id']);
    if (asked === undefined || upstream === undefined || span === undefined) return;
    upstream.channel.receive(replaceValue(line, span, JSON.stringify(asked.id)));
  }

  #fromUpstream(upstream: string, line: Buffer, about: RequestId | undefined): void {
    const parts = partsOf(line);
    if (parts === undefined) return;
    if (parts.kind === 'response') {
      if (parts.id !== null) this.#answered(upstream, parts.id, line);
      return;
    }
    if (parts.kind === 'request') {
      const span = findMember(line, ['id']);
      if (span === undefined) return;
      const asked = questionId(upstream, line.toString('utf8', span.start, span.end));
      this.#events.toClient(replaceValue(line, span, JSON.stringify(asked)), about);
      return;
    }
    this.#notified(upstream, parts.method, line, about);
  }

  #notified(upstream: string, method: string, line: Buffer, about: RequestId | undefined): void {
    switch (method) {
      case 'notifications/cancelled': {
        const span = findMember(line, ['params', 'requestId']);
        if (span === undefined) return;
        const idText = line.toString('utf8', span.start, span.end);
        const subscribed = this.#exchanges.get(idText);
        if (subscribed?.method === 'subscriptions/listen') {
          // It ends when the last of them ends it.
          subscribed.waiting.delete(upstream);
          if (subscribed.waiting.size > 0) return;
          this.#exchanges.delete(idText);
          this.#events.toClient(line, about);
          return;
        }
        const asked = questionId(upstream, idText);
        this.#events.toClient(replaceValue(line, span, JSON.stringify(asked)), about);
        return;
      }
      case 'notifications/resources/updated': {
        const span = findMember(line, ['params', 'uri']);
        const uri = scalar(line, ['params', 'uri']);
        if (span === undefined || typeof uri !== 'string') return;
        const prefixed = prefixUri(upstream, uri);
        this.#events.toClient(replaceValue(line, span, JSON.stringify(prefixed)), about);
        return;
      }
      case 'notifications/subscriptions/acknowledged': {
        const id = scalar(line, ['params', '_meta', 'io.modelcontextprotocol/subscriptionId']);
        const exchange = isRequestId(id) ? this.#exchanges.get(idKey(id)) : undefined;
        if (exchange === undefined || exchange.acknowledged) return;
        exchange.acknowledged = true;
        this.#events.toClient(line, about);
        return;
      }
      default:
        this.#events.toClient(line, about);
    }
  }

  #answered(upstream: string, id: RequestId, line: Buffer): void {
    const exchange = this.#exchanges.get(idKey(id));
    if (exchange === undefined || !exchange.waiting.delete(upstream)) return;
    const { method, page } = exchange;
    if (page === undefined && !TO_ALL.has(method)) {
      this.#exchanges.delete(idKey(id));
      this.#events.toClient(line, undefined);
      return;
    }
    exchange.answers.set(upstream, parsed(line));
    if (exchange.waiting.size === 0) this.#conclude(id, exchange);
  }

  /** Everyone that was asked has answered, or is gone. */
  #conclude(id: RequestId, { method, page, modern, answers }: Exchange): void {
    this.#exchanges.delete(idKey(id));
    const [first] = answers.values();
    if (page !== undefined) {
      this.#answerPage(id, { method, page, modern }, first);
      return;
    }
    if (first === undefined) {
      this.#refuse(id, -32603, 'The MCP server is gone.');
      return;
    }
    if (method === 'initialize' || method === 'server/discover') {
      const merged = mergeBeginnings(method, answers, MODERN_VERSIONS);
      this.#answer(id, merged === undefined ? { error: errorOf(first) } : { result: merged });
      return;
    }
    const succeeded = [...answers.values()].find(({ result }) => result !== undefined) ?? first;
    const { result } = succeeded;
    this.#answer(id, result === undefined ? { error: errorOf(succeeded) } : { result });
  }

  /** An upstream that has no such list, or is gone, has an empty page: the others' follow. */
  #answerPage(
    id: RequestId,
    { method, page, modern }: { readonly method: string; readonly page: number; readonly modern: boolean },
    answer: JsonObject | undefined,
  ): void {
    const upstream = this.#upstreams[page]?.id ?? '';
    const empty = modern ? { resultType: 'complete', ttlMs: 0, cacheScope: 'private' } : {};
    const result = isJsonObject(answer?.result) ? answer.result : empty;
    const { nextCursor, ...rest } = prefixListed(upstream, method, result);
    const next =
      typeof nextCursor === 'string'
        ? `${page}:${nextCursor}`
        : page + 1 < this.#upstreams.length
          ? `${page + 1}`
          : undefined;
    this.#answer(id, { result: { ...rest, ...(next === undefined ? {} : { nextCursor: next }) } });
  }

  #gone(upstream: string): void {
    this.#open -= 1;
    for (const [key, exchange] of this.#exchanges) {
      if (!exchange.waiting.delete(upstream) || exchange.waiting.size > 0) continue;
      const id: unknown = JSON.parse(key);
      if (typeof id === 'string' || typeof id === 'number') this.#conclude(id, exchange);
    }
    if (this.#open === 0) this.#events.onGone();
  }

  #answer(id: RequestId, answer: JsonObject): void {
    this.#events.toClient(encodeMessage({ jsonrpc: '2.0', id, ...answer }), undefined);
  }

  #refuse(id: RequestId, code: number, message: string): void {
    this.#answer(id, { error: { code, message } });
  }
}

/** Where the name stands that says whose a request is. */
const ROUTED_BY: Readonly<Record<string, readonly string[]>> = {
  'tools/call': ['params', 'name'],
  'prompts/get': ['params', 'name'],
  'resources/read': ['params', 'uri'],
  'resources/subscribe': ['params', 'uri'],
  'resources/unsubscribe': ['params', 'uri'],
  'completion/complete': ['params', 'ref', 'name'],
};

function routeOf({
  method,
  params,
}: RequestMessage): { path: readonly string[]; target: Prefixed } | undefined {
  const { ref } = params;
  const refersToUri = method === 'completion/complete' && isJsonObject(ref) && 'uri' in ref;
  const path = refersToUri
    ? ['params', 'ref', 'uri']
    : Object.hasOwn(ROUTED_BY, method)
      ? ROUTED_BY[method]
      : undefined;
  if (path === undefined) return undefined;
  const holder = path.includes('ref') ? ref : params;
  const member = path.at(-1) ?? '';
  const value = isJsonObject(holder) ? holder[member] : undefined;
  if (typeof value !== 'string') return undefined;
  const target = member === 'uri' ? splitUri(value) : splitName(value);
  return target === undefined ? undefined : { path, target };
}

function isThere({ channel }: Upstream): boolean {
  return !channel.isGone;
}

function removeCursor(line: Buffer): Buffer {
  const message = parsed(line);
  const { cursor: _cursor, ...params } = isJsonObject(message.params) ? message.params : {};
  return encodeMessage({ ...message, params });
}

/** Upstreams number their questions without knowing of each other. */
function questionId(upstream: string, idText: string): string {
  return `${upstream}:${idText}`;
}

/** INVARIANT: a client writes this: what is put into a message is an id and nothing else. */
function readQuestionId(text: string): { readonly upstream: string; readonly id: RequestId } | undefined {
  const at = text.indexOf(':');
  if (at <= 0) return undefined;
  try {
    const id: unknown = JSON.parse(text.slice(at + 1));
    const known = typeof id === 'string' || typeof id === 'number' ? id : undefined;
    return isRequestId(known) ? { upstream: text.slice(0, at), id: known } : undefined;
  } catch {
    return undefined;
  }
}

function errorOf({ error }: JsonObject): JsonObject {
  return isJsonObject(error) ? error : { code: -32603, message: 'The MCP server failed.' };
}

/** What a session let through: it parses. */
function parsed(line: Buffer): JsonObject {
  const message = parseMessage(line, { maxBytes: MAX_MESSAGE_BYTES, maxDepth: 256 });
  if (message.kind === 'refused') return {};
  const value: unknown = JSON.parse(line.toString('utf8'));
  return isJsonObject(value) ? value : {};
}
