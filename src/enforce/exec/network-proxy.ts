import { lookup } from 'node:dns/promises';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect, isIP, type Server as Listener, type Socket } from 'node:net';
import { type Duplex, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { NetworkFacts } from '../../receipt/index.ts';
import { hasOtherCoding, isContradicted, namesFraming, passedOn, targetOf } from './message-forwarding.ts';
import { type Destination, destinationText, parseDestination } from './network-grant.ts';
import { NetworkRecord } from './network-record.ts';
import { addressList, familyOf, interfaceAddresses, isPublicAddress } from './public-address.ts';

export interface NetworkProxyOptions {
  /** Exactly these. */
  readonly granted: readonly Destination[];
  /** Of all connections together, both ways. */
  readonly maxBytes: number;
  /** All addresses of a name. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  readonly dial?: (address: string, port: number) => Socket;
  /** All addresses of this machine's own interfaces, now. */
  readonly ownAddresses?: () => readonly string[];
}

const MAX_CONNECTIONS = 128;
const MAX_ADDRESSES = 8;
const MAX_HEADER_BYTES = 16 * 1024;
const DIAL_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 10 * 60_000;
/** Why a request goes nowhere. */
type Refusal = 400 | 403 | 429 | 501 | 502;

/**
 * The only way out of a sandbox: an HTTP proxy at a socket that lies in the sandbox's network and is held here. Passes on
 * CONNECT and requests with an absolute http: URI, to the granted hosts and ports and no others.
 *
 * INVARIANT: names are resolved here, once, and what is connected to is the very address that was checked.
 */
export class NetworkProxy {
  readonly #granted: ReadonlyMap<string, Destination>;
  readonly #record: NetworkRecord;
  readonly #resolve: NonNullable<NetworkProxyOptions['resolve']>;
  readonly #dial: NonNullable<NetworkProxyOptions['dial']>;
  readonly #ownAddresses: NonNullable<NetworkProxyOptions['ownAddresses']>;
  readonly #http: Server;
  readonly #open = new Set<Duplex>();
  #listener: Listener | undefined;
  #clients = 0;
  #isClosed = false;

  constructor({
    granted,
    maxBytes,
    resolve = resolveAll,
    dial = connectTo,
    ownAddresses = interfaceAddresses,
  }: NetworkProxyOptions) {
    this.#granted = new Map(granted.map((destination) => [destinationText(destination), destination]));
    this.#record = new NetworkRecord(granted, maxBytes);
    this.#resolve = resolve;
    this.#dial = dial;
    this.#ownAddresses = ownAddresses;
    this.#http = createServer({ maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false });
    this.#http.on('connect', (request, socket, head) => void this.#tunnel(request, socket, head));
    this.#http.on('request', (request, response) => void this.#forward(request, response));
    this.#http.on('clientError', (_error, socket) => socket.destroy());
  }

  serve(listener: Listener): void {
    if (this.#isClosed) {
      listener.close();
      return;
    }
    this.#listener = listener;
    listener.on('error', () => this.close());
    listener.on('connection', (socket: Socket) => {
      if (this.#isClosed || this.#clients >= MAX_CONNECTIONS) {
        this.#record.refuse(undefined);
        socket.destroy();
        return;
      }
      this.#clients += 1;
      socket.once('close', () => {
        this.#clients -= 1;
      });
      this.#keep(socket);
      // A program that has said all may still wait for the answer.
      socket.allowHalfOpen = true;
      this.#http.emit('connection', socket);
    });
  }

  /** Ends every connection, and lets none be made any more. */
  close(): void {
    this.#isClosed = true;
    this.#listener?.close();
    for (const socket of this.#open) socket.destroy();
  }

  facts(): readonly NetworkFacts[] {
    return this.#record.facts();
  }

  async #tunnel({ url = '' }: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    client.on('error', () => undefined);
    const destination = parseDestination(url);
    const upstream = await this.#connect(destination);
    if (destination === undefined || typeof upstream === 'number') {
      client.end(
        `HTTP/1.1 ${typeof upstream === 'number' ? upstream : 400} Refused\r\nConnection: close\r\n\r\n`,
      );
      return;
    }
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (head.byteLength > 0) client.unshift(head);
    await Promise.allSettled([
      pipeline(client, this.#counter(destination, 'out'), upstream),
      pipeline(upstream, this.#counter(destination, 'in'), client),
    ]);
    upstream.destroy();
    client.destroy();
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: Refusal): void => {
      response.writeHead(status, { connection: 'close' }).end();
    };
    const url = targetOf(request);
    const destination =
      url === undefined
        ? undefined
        : parseDestination(`${url.hostname}:${url.port === '' ? '80' : url.port}`);
    const isTrick = url === undefined || isContradicted(request, url) || namesFraming(request);
    if (isTrick || destination === undefined) {
      this.#record.refuse(destination);
      refuse(400);
      return;
    }
    if (hasOtherCoding(request)) {
      this.#record.refuse(destination);
      refuse(501);
      return;
    }
    const socket = await this.#connect(destination);
    if (typeof socket === 'number') {
      refuse(socket);
      return;
    }
    const headers = passedOn(request.headers, request.headersDistinct);
    const head = `${request.method} ${url.pathname}${url.search} ${JSON.stringify(headers)}`;
    if (!this.#record.count(destination, 'out', Buffer.byteLength(head))) {
      socket.destroy();
      refuse(429);
      return;
    }
    try {
      const onward = httpRequest({
        createConnection: () => socket,
        method: request.method,
        path: `${url.pathname}${url.search}`,
        headers: {
          ...headers,
          host: url.host,
          connection: 'close',
          ...(request.headers['transfer-encoding'] === undefined ? {} : { 'transfer-encoding': 'chunked' }),
        },
        setHost: false,
        maxHeaderSize: MAX_HEADER_BYTES,
      });
      const answered = new Promise<IncomingMessage>((resolve, reject) => {
        onward.once('response', resolve);
        onward.once('error', reject);
        onward.once('upgrade', () => reject(new Error('upgraded')));
      });
      response.once('close', () => socket.destroy());
      const sent = pipeline(request, this.#counter(destination, 'out'), onward);
      sent.catch(() => undefined);
      const answer = await answered;
      if (hasOtherCoding(answer)) throw new Error('in a coding that was not asked for');
      const back = passedOn(answer.headers, answer.headersDistinct);
      if (!this.#record.count(destination, 'in', Buffer.byteLength(JSON.stringify(back))))
        throw new Error('spent');
      response.writeHead(answer.statusCode ?? 502, { ...back, connection: 'close' });
      await pipeline(answer, this.#counter(destination, 'in'), response);
    } catch {
      if (response.headersSent) response.destroy();
      else refuse(502);
    } finally {
      socket.destroy();
    }
  }

  /** A connection to what is granted, or why there is none. */
  async #connect(destination: Destination | undefined): Promise<Socket | Refusal> {
    const refuse = (status: Refusal): Refusal => {
      this.#record.refuse(destination);
      return status;
    };
    if (destination === undefined) return refuse(400);
    if (!this.#granted.has(destinationText(destination))) return refuse(403);
    if (this.#record.isSpent) return refuse(429);
    const { host, port } = destination;
    const isLiteral = isIP(host) !== 0;
    const addresses = isLiteral ? [host] : await this.#resolve(host).catch(() => []);
    if (addresses.length === 0) return refuse(502);
    // One that leads inside condemns them all: whoever answers for the name means no good.
    if (!isLiteral && (!addresses.every(isPublicAddress) || this.#isOwn(addresses))) return refuse(403);
    for (const address of addresses.slice(0, MAX_ADDRESSES)) {
      if (this.#isClosed) return refuse(403);
      const socket = this.#dial(address, port);
      this.#keep(socket);
      if (await isConnected(socket)) {
        this.#record.allow(destination);
        return socket;
      }
      socket.destroy();
    }
    return refuse(502);
  }

  /** Whether any is an address of this machine, which may look public; where that cannot be told, it is taken for one. */
  #isOwn(addresses: readonly string[]): boolean {
    try {
      const own = addressList(this.#ownAddresses());
      return addresses.some((address) => own.check(address, familyOf(address)));
    } catch {
      return true;
    }
  }

  #keep(socket: Socket): void {
    this.#open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#open.delete(socket));
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
  }

  #counter(destination: Destination, way: 'in' | 'out'): Transform {
    return new Transform({
      transform: (chunk: Uint8Array, _encoding, next) => {
        if (!this.#isClosed && this.#record.count(destination, way, chunk.byteLength)) next(null, chunk);
        else next(new Error('no more bytes are granted'));
      },
    });
  }
}

function isConnected(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.destroy(), DIAL_TIMEOUT_MS);
    const end = (is: boolean): void => {
      clearTimeout(timer);
      resolve(is);
    };
    socket.once('connect', () => end(true));
    socket.once('close', () => end(false));
  });
}

async function resolveAll(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function connectTo(address: string, port: number): Socket {
  return connect({ host: address, port, allowHalfOpen: true });
}
