import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isJsonObject, type JsonObject } from '../../../src/codec/index.ts';
import { FixtureServer } from './fixture-server.ts';

const MODERN = '2026-07-28';
const META_VERSION = 'io.modelcontextprotocol/protocolVersion';
const REMOVED = ['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe'];
const NAMED_BY: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};
const STATUS: Readonly<Record<string, number>> = {
  '-32601': 404,
  '-32020': 400,
  '-32021': 400,
  '-32022': 400,
};

/** The fixture server over streamable HTTP: its own few lines of the transport, none of the gateway's. */
export function createFixtureHttp(): Server {
  const sessions = new Map<string, FixtureServer>();
  const modern = new FixtureServer();
  return createServer((request, response) => {
    void respond(request, response);
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { host = '', origin } = request.headers;
    if (!isLocal(`http://${host}`) || (origin !== undefined && !isLocal(origin))) return end(response, 403);
    const session = sessionOf(request);
    if (request.method === 'DELETE') return end(response, sessions.delete(session) ? 200 : 404);
    if (request.method === 'GET') {
      if (!sessions.has(session)) return end(response, 405);
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Mcp-Session-Id': session });
      response.flushHeaders();
      return;
    }
    const message = JSON.parse(await textOf(request)) as JsonObject;
    const params = isJsonObject(message.params) ? message.params : {};
    const meta = isJsonObject(params._meta) ? params._meta : {};
    const isModern = meta[META_VERSION] !== undefined || request.headers['mcp-protocol-version'] === MODERN;
    if (isModern) await serveModern(request, response, message, meta);
    else await serveLegacy(response, message, session);
  }

  async function serveModern(
    { headers }: IncomingMessage,
    response: ServerResponse,
    message: JsonObject,
    meta: JsonObject,
  ): Promise<void> {
    const { id = null, method } = message;
    const refuse = (status: number, code: number): void =>
      json(response, status, { jsonrpc: '2.0', id, error: { code, message: 'refused' } });
    if (meta[META_VERSION] === undefined) return refuse(400, -32602);
    if (meta[META_VERSION] !== headers['mcp-protocol-version']) return refuse(400, -32020);
    if (!isJsonObject(meta['io.modelcontextprotocol/clientCapabilities'])) return refuse(400, -32602);
    if (headers['mcp-method'] !== method) return refuse(400, -32020);
    const named = NAMED_BY[String(method)];
    const { params } = message;
    if (named !== undefined && isJsonObject(params) && headers['mcp-name'] !== params[named]) {
      return refuse(400, -32020);
    }
    if (REMOVED.includes(String(method))) return refuse(404, -32601);
    await serve(modern, response, message, {});
  }

  async function serveLegacy(response: ServerResponse, message: JsonObject, session: string): Promise<void> {
    if (message.method === 'initialize') {
      const id = randomUUID();
      const server = new FixtureServer();
      sessions.set(id, server);
      return serve(server, response, message, { 'Mcp-Session-Id': id });
    }
    const server = sessions.get(session);
    if (server === undefined) return end(response, session === '' ? 400 : 404);
    if (message.id === undefined || message.method === undefined) {
      await server.receive(message, () => undefined);
      return end(response, 202);
    }
    await serve(server, response, message, { 'Mcp-Session-Id': session });
  }

  /** An answer alone is JSON, anything before it makes it a stream. */
  async function serve(
    server: FixtureServer,
    response: ServerResponse,
    message: JsonObject,
    headers: Record<string, string>,
  ): Promise<void> {
    const send = (sent: JsonObject): void => {
      if (response.destroyed) return;
      const isAnswer = sent.method === undefined;
      if (isAnswer && !response.headersSent) {
        const code = isJsonObject(sent.error) ? String(sent.error.code) : '';
        const status = Object.keys(headers).length === 0 ? (STATUS[code] ?? 200) : 200;
        json(response, status, sent, headers);
        return;
      }
      if (!response.headersSent) {
        response.writeHead(200, { 'Content-Type': 'text/event-stream', ...headers });
      }
      response.write(`data: ${JSON.stringify(sent)}\n\n`);
      if (isAnswer) response.end();
    };
    response.once('close', () => server.drop(send));
    await server.receive(message, send);
  }
}

function isLocal(origin: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(URL.parse(origin)?.hostname ?? '');
}

function sessionOf({ headers }: IncomingMessage): string {
  const value = headers['mcp-session-id'];
  return typeof value === 'string' ? value : '';
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function json(
  response: ServerResponse,
  status: number,
  body: JsonObject,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status);
  response.end();
}
