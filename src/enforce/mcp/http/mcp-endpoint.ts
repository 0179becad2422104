import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { encodeDenial, encodeParseError } from '../answer.ts';
import { type Message, parseMessage } from '../message.ts';
import type { Diagnose, Presenter } from '../ports.ts';
import { type AccessOptions, AccessRules } from './access.ts';
import { partPresentation, type Stands } from './brought-presentation.ts';
import type { OpenChannel } from './channel.ts';
import { checkAgreement } from './header-agreement.ts';
import { onOneLine } from './json-members.ts';
import { DEFAULT_LEGACY_LIMITS, type LegacyLimits, LegacySession } from './legacy-session.ts';
import { BodyBudget, readBody } from './read-body.ts';
import { sendEmpty, sendError, sendJson } from './replies.ts';
import { metadataPath, type ResourceMetadata, resourceMetadata } from './resource-metadata.ts';
import { StatelessRequests } from './stateless-requests.ts';

export interface EndpointLimits extends LegacyLimits {
  /** Longest body. */
  readonly maxBodyBytes: number;
  /** Of all bodies that are being read. */
  readonly maxBodiesBytes: number;
  readonly maxConnections: number;
  /** Sessions of the older era; each has an upstream of its own. */
  readonly maxSessions: number;
  /** After which a session nobody uses is ended, milliseconds. */
  readonly sessionIdleMs: number;
  /** Requests of the newer era in flight. */
  readonly maxInFlight: number;
  /** For a whole request, headers and body, milliseconds. */
  readonly requestTimeoutMs: number;
}

export const DEFAULT_ENDPOINT_LIMITS: EndpointLimits = {
  ...DEFAULT_LEGACY_LIMITS,
  maxBodyBytes: 4 * 1024 * 1024,
  maxBodiesBytes: 64 * 1024 * 1024,
  maxConnections: 2048,
  maxSessions: 128,
  sessionIdleMs: 30 * 60_000,
  maxInFlight: 1024,
  requestTimeoutMs: 15_000,
};

export interface EndpointOptions {
  readonly access: AccessOptions;
  /** Path of the endpoint. */
  readonly path: string;
  /** What it is to clients; asked for once it listens. */
  readonly resource: () => ResourceMetadata;
  /** A channel for a session of the older era, and one that all requests of the newer share. */
  readonly open: OpenChannel;
  /** Requests bring their own presentations (`writ mcp connect`), of chains that stand; without it a presenter is here. */
  readonly presentations?: { readonly stands: Stands };
  readonly diagnose: Diagnose;
  readonly limits?: Partial<EndpointLimits>;
}

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_DEPTH = 64;
const KEEP_ALIVE_MS = 60_000;
const SWEEP_MS = 30_000;
const INVALID_REQUEST = -32600;
const OVERLOADED = { code: -32603, message: 'Too much is under way; try again later.' };
const RETRY_LATER = { headers: { 'Retry-After': '1' } };

/**
 * The gateway as an MCP server over streamable HTTP, of both eras at one path: 2026-07-28 (stateless) and 2025-11-25 and
 * before (sessions). The caller listens.
 *
 * INVARIANT: a message is parsed once as strictly as on stdio, put on one line, and that line is what is decided on and
 * forwarded. Nothing of the HTTP request but the body travels on: no header, no token (MCP, Authorization, Token
 * Passthrough).
 */
export class McpEndpoint {
  readonly server: Server;
  readonly #options: EndpointOptions;
  readonly #limits: EndpointLimits;
  readonly #access: AccessRules;
  readonly #bodies: BodyBudget;
  readonly #sessions = new Map<string, LegacySession>();
  readonly #ending = new Set<Promise<void>>();
  readonly #stateless: StatelessRequests;
  readonly #path: string;
  readonly #metadataPath: string;
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_ENDPOINT_LIMITS, ...options.limits };
    this.#access = new AccessRules(options.access);
    this.#bodies = new BodyBudget(this.#limits.maxBodiesBytes);
    this.#stateless = new StatelessRequests(options.open);
    this.#path = options.path;
    this.#metadataPath = metadataPath(options.path);
    const { requestTimeoutMs } = this.#limits;
    this.server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        requestTimeout: requestTimeoutMs,
        headersTimeout: requestTimeoutMs,
        connectionsCheckingInterval: Math.min(1_000, requestTimeoutMs),
        keepAliveTimeout: KEEP_ALIVE_MS,
      },
      (request, response) => {
        this.#respond(request, response).catch(() => {
          options.diagnose('a request failed in a way that was not foreseen');
          sendError(response, 500, { code: -32603, message: 'The gateway failed.' });
        });
      },
    );
    this.server.maxConnections = this.#limits.maxConnections;
    this.#sweeper = setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Ends sessions that nobody has used for long. */
  sweep(): void {
    for (const session of this.#sessions.values()) {
      if (session.idleMs > this.#limits.sessionIdleMs) this.#endSession(session);
    }
  }

  /** Takes nothing more; resolves when every execution's outcome is recorded. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const session of this.#sessions.values()) this.#endSession(session);
    await Promise.all([...this.#ending, this.#stateless.close()]);
    this.server.closeAllConnections();
    await closed;
  }

  /** RFC 9728 §5.1. */
  #challenge(): string {
    const { origin } = new URL(this.#options.resource().resource);
    return `Bearer resource_metadata="${origin}${this.#metadataPath}"`;
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    const access = this.#access.check(request);
    if ('refused' in access && access.refused !== 'token') {
      this.#options.diagnose(`refused a request by its ${access.refused}`);
      sendError(response, access.status, { code: INVALID_REQUEST, message: 'Not from here.' });
      return;
    }
    for (const [name, value] of Object.entries(this.#access.corsHeaders(request))) {
      response.setHeader(name, value);
    }
    if (request.method === 'OPTIONS') {
      sendEmpty(response, 204, { Allow: 'GET, POST, DELETE' });
      return;
    }
    const path = pathOf(request.url);
    if (path === this.#metadataPath) {
      if (request.method === 'GET') sendJson(response, 200, resourceMetadata(this.#options.resource()));
      else sendEmpty(response, 405, { Allow: 'GET' });
      return;
    }
    if ('refused' in access) {
      this.#options.diagnose('refused a request without a token that opens');
      const headers = { 'WWW-Authenticate': this.#challenge() };
      sendError(response, 401, { code: -32001, message: 'A token is needed.' }, { headers });
      return;
    }
    if (path !== this.#path) {
      sendEmpty(response, 404);
      return;
    }
    switch (request.method) {
      case 'POST':
        await this.#post(request, response, access.principal);
        return;
      case 'GET':
        this.#get(request, response, access.principal);
        return;
      case 'DELETE':
        this.#delete(request, response, access.principal);
        return;
      default:
        sendEmpty(response, 405, { Allow: 'GET, POST, DELETE' });
    }
  }

  async #post(request: IncomingMessage, response: ServerResponse, principal: string): Promise<void> {
    const { headers } = request;
    if (!isJson(headers['content-type'])) {
      sendError(response, 415, { code: INVALID_REQUEST, message: 'The body must be application/json.' });
      return;
    }
    if (!accepts(headers.accept, 'application/json') || !accepts(headers.accept, 'text/event-stream')) {
      const message = 'Accept must list application/json and text/event-stream.';
      sendError(response, 406, { code: INVALID_REQUEST, message });
      return;
    }
    const body = await readBody(request, this.#limits.maxBodyBytes, this.#bodies);
    if (body === 'aborted') return;
    if (body === 'too long' || body === 'overloaded') {
      response.shouldKeepAlive = false;
      if (body === 'overloaded') sendError(response, 503, OVERLOADED, RETRY_LATER);
      else
        sendError(response, 413, { code: INVALID_REQUEST, message: 'The message is over the size limit.' });
      return;
    }
    const line = onOneLine(body);
    const message = parseMessage(line, { maxBytes: this.#limits.maxBodyBytes + 1, maxDepth: MAX_DEPTH });
    if (message.kind === 'refused') {
      this.#options.diagnose(`refused a message from a client (${message.denial.detail})`);
      const encode = message.fault === 'parse' ? encodeParseError : encodeDenial;
      sendJson(response, 400, encode(null, message.denial));
      return;
    }
    this.#dispatch(request, message, line, response, principal);
  }

  #dispatch(
    { headers }: IncomingMessage,
    message: Message,
    line: Buffer,
    response: ServerResponse,
    principal: string,
  ): void {
    const agreement = checkAgreement(headers, message);
    const { presentations } = this.#options;
    const { line: own, presenter } =
      presentations === undefined || message.kind !== 'request'
        ? { line, presenter: undefined }
        : partPresentation(line, message.params, presentations.stands);
    if (typeof agreement === 'object') {
      const { status, code, message: text, data } = agreement;
      sendError(response, status, { code, message: text, data }, idOf(message));
      return;
    }
    if (agreement === 'legacy') {
      this.#legacy(headers, { message, line: own, presenter }, response, principal);
      return;
    }
    // The newer era cancels by closing the response, and has no other notification of a client's over HTTP.
    if (message.kind !== 'request') {
      sendEmpty(response, 202);
      return;
    }
    if (this.#stateless.isClogged || this.#stateless.inFlight >= this.#limits.maxInFlight) {
      sendError(response, 503, OVERLOADED, { ...idOf(message), ...RETRY_LATER });
      return;
    }
    this.#stateless.receive(own, response, presenter);
  }

  #legacy(
    headers: IncomingMessage['headers'],
    { message, line, presenter }: Incoming,
    response: ServerResponse,
    principal: string,
  ): void {
    if (message.kind === 'request' && message.method === 'initialize') {
      if (headers['mcp-session-id'] !== undefined) {
        sendError(response, 400, { code: INVALID_REQUEST, message: 'The session has begun.' }, idOf(message));
        return;
      }
      if (this.#sessions.size >= this.#limits.maxSessions) {
        this.#options.diagnose('refused a session: there are too many');
        sendError(response, 503, OVERLOADED, { ...idOf(message), ...RETRY_LATER });
        return;
      }
      this.#openSession(principal).receive(message, line, response, presenter);
      return;
    }
    const session = this.#sessionOf(headers, response, principal);
    if (session === undefined) return;
    if (session.isClogged) sendError(response, 503, OVERLOADED, { ...idOf(message), ...RETRY_LATER });
    else session.receive(message, line, response, presenter);
  }

  #get({ headers }: IncomingMessage, response: ServerResponse, principal: string): void {
    // The newer era has no stream to get.
    if (headers['mcp-session-id'] === undefined) {
      sendEmpty(response, 405, { Allow: 'POST' });
      return;
    }
    if (!accepts(headers.accept, 'text/event-stream')) {
      sendError(response, 406, { code: INVALID_REQUEST, message: 'Accept must list text/event-stream.' });
      return;
    }
    const lastEventId = headers['last-event-id'];
    this.#sessionOf(headers, response, principal)?.listen(response, first(lastEventId));
  }

  #delete({ headers }: IncomingMessage, response: ServerResponse, principal: string): void {
    if (headers['mcp-session-id'] === undefined) {
      sendEmpty(response, 405, { Allow: 'POST' });
      return;
    }
    const session = this.#sessionOf(headers, response, principal);
    if (session === undefined) return;
    this.#endSession(session);
    sendEmpty(response, 204);
  }

  /** INVARIANT: a session is its opener's: under another token it is not there, whoever knows its id. */
  #sessionOf(
    headers: IncomingMessage['headers'],
    response: ServerResponse,
    principal: string,
  ): LegacySession | undefined {
    const id = first(headers['mcp-session-id']);
    if (id === undefined) {
      sendError(response, 400, { code: INVALID_REQUEST, message: 'Mcp-Session-Id is missing.' });
      return undefined;
    }
    const session = this.#sessions.get(id);
    if (session === undefined || session.principal !== principal) {
      sendError(response, 404, { code: INVALID_REQUEST, message: 'There is no such session.' });
      return undefined;
    }
    if (!session.speaks(first(headers['mcp-protocol-version']))) {
      const message = 'The session was begun with another protocol version.';
      sendError(response, 400, { code: INVALID_REQUEST, message });
      return undefined;
    }
    return session;
  }

  #openSession(principal: string): LegacySession {
    const session = new LegacySession({
      principal,
      open: this.#options.open,
      limits: this.#limits,
      onGone: () => this.#sessions.delete(session.id),
    });
    this.#sessions.set(session.id, session);
    return session;
  }

  #endSession(session: LegacySession): void {
    this.#sessions.delete(session.id);
    const ending = session.close().catch(() => this.#options.diagnose('a session did not end in order'));
    this.#ending.add(ending);
    void ending.finally(() => this.#ending.delete(ending));
  }
}

interface Incoming {
  readonly message: Message;
  readonly line: Buffer;
  readonly presenter: Presenter | undefined;
}

function idOf(message: Message): { id?: string | number } {
  return message.kind === 'request' ? { id: message.id } : {};
}

function pathOf(url = ''): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

function first(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.join(', ') : value;
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/json *(;|$)/i.test(contentType ?? '');
}

function accepts(accept: string | undefined, type: string): boolean {
  return (accept ?? '').split(',').some((part) => {
    const [range = ''] = part.split(';');
    const wanted = range.trim().toLowerCase();
    return wanted === type || wanted === '*/*' || wanted === `${type.slice(0, type.indexOf('/'))}/*`;
  });
}
