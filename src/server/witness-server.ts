import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { digestOf } from '../codec/index.ts';
import { MAX_ADD_CHECKPOINT_BYTES } from '../tlog/index.ts';
import type { Witness, WitnessAnswer } from './witness.ts';

/** What a witness tells its operator. */
export type WitnessEvent =
  | { readonly event: 'answered'; readonly answer: WitnessAnswer }
  /** Nothing was cosigned: the state or the clock failed. */
  | { readonly event: 'failed'; readonly reason: string };

export interface WitnessServerOptions {
  readonly witness: Witness;
  readonly onEvent?: (event: WitnessEvent) => void;
  /** For the whole request, headers and body. 10,000 by default. */
  readonly requestTimeoutMs?: number;
}

const MAX_CONNECTIONS = 256;
const MAX_HEADER_BYTES = 8 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;
const HEAD_PATH = '/checkpoint/';

/**
 * A witness over HTTP (C2SP tlog-witness): `POST /add-checkpoint`, and `GET /checkpoint/<SHA-256 of the origin, hex>` for
 * what it cosigned last. The caller listens. Bodies, headers, connections and the time of a request are bounded.
 */
export function createWitnessServer(options: WitnessServerOptions): Server {
  const { witness, onEvent = () => undefined } = options;
  const origins = new Map(witness.origins.map((origin) => [digestOf(origin), origin]));
  const requestTimeout = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout,
      headersTimeout: requestTimeout,
      connectionsCheckingInterval: Math.min(1_000, requestTimeout),
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      respond(request, response).catch((error: unknown) => {
        onEvent({ event: 'failed', reason: error instanceof Error ? error.message : 'unknown error' });
        if (response.headersSent) response.destroy();
        else send(response, 500, 'text/plain', 'the witness cannot cosign now\n');
      });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request;
    if (url === '/add-checkpoint') {
      if (method !== 'POST') return refuseMethod(response, 'POST');
      const body = await readBody(request);
      // Its sender went away: whoever it was does not get an answer, so nothing is cosigned.
      if (body === 'aborted') return;
      if (body === 'too long') {
        response.shouldKeepAlive = false;
        return send(response, 413, 'text/plain', 'the body is too long\n');
      }
      const answer = witness.add(body);
      sendAnswer(response, answer);
      onEvent({ event: 'answered', answer });
      return;
    }
    const name = url.startsWith(HEAD_PATH) ? url.slice(HEAD_PATH.length) : '';
    const origin = origins.get(`sha256:${name}`);
    if (origin === undefined) return send(response, 404, 'text/plain', 'there is nothing here\n');
    if (method !== 'GET') return refuseMethod(response, 'GET');
    const head = witness.head(origin);
    if (head === undefined) return send(response, 404, 'text/plain', 'nothing was cosigned yet\n');
    send(response, 200, 'text/plain; charset=utf-8', head.note);
  }
  return server;
}

function sendAnswer(response: ServerResponse, answer: WitnessAnswer): void {
  if (answer.status === 200) {
    send(response, 200, 'text/plain; charset=utf-8', answer.lines);
    return;
  }
  const { status, problem, knownSize, heads } = answer;
  if (knownSize !== undefined) send(response, status, 'text/x.tlog.size', `${knownSize}\n`);
  else if (heads === undefined) send(response, status, 'text/plain', `${problem}\n`);
  else send(response, status, 'application/json', `${JSON.stringify({ problem, heads })}\n`);
}

function refuseMethod(response: ServerResponse, allowed: string): void {
  response.setHeader('Allow', allowed);
  send(response, 405, 'text/plain', `use ${allowed}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(body);
}

async function readBody(request: IncomingMessage): Promise<Uint8Array | 'too long' | 'aborted'> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      if (!(chunk instanceof Buffer)) return 'aborted';
      length += chunk.byteLength;
      if (length > MAX_ADD_CHECKPOINT_BYTES) return 'too long';
      chunks.push(chunk);
    }
  } catch {
    return 'aborted';
  }
  return Buffer.concat(chunks);
}
