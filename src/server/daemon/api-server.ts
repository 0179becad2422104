import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer, type ServerOptions as TlsOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { createAdaptorServer } from '@hono/node-server';
import { WebSocketServer } from 'ws';
import { MAX_SESSION_FRAME_BYTES, SESSION_PROTOCOL, SUPERVISE_PROTOCOL } from '../../governor/index.ts';
import type { Api } from '../api/operation.ts';

type AdaptedSockets = NonNullable<Parameters<typeof createAdaptorServer>[0]['websocket']>['server'];

const SOCKET_PATH = /^\/v1\/(?:enforcement-points\/[^/?]+\/session|supervised\/[^/?]+)(?:\?|$)/;
const PROTOCOLS = [SESSION_PROTOCOL, SUPERVISE_PROTOCOL];
const HANG_UP_MS = 1000;

/** After an upgrade that is refused no timeout of the server's looks at the connection: it must not stay half open. */
function hangUp(socket: Duplex): void {
  setTimeout(() => socket.destroy(), HANG_UP_MS).unref();
}

/** A listener of an API: HTTP, and the WebSockets of sessions and of supervised programs. */
export interface ApiServer {
  readonly server: Server;
  /** Ends it, and every connection. */
  close(): Promise<void>;
}

/** @param options with TLS, where `secure`. */
export function createApiServer(api: Api, options: ServerOptions & TlsOptions, secure: boolean): ApiServer {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: Math.min(MAX_SESSION_FRAME_BYTES, api.gate.maxBodyBytes),
    perMessageDeflate: false,
    handleProtocols: (offered) => PROTOCOLS.find((one) => offered.has(one)) ?? false,
  });
  const serverOptions = {
    ...options,
    // All else that asks for another protocol is answered as if it had not: under every limit of a request.
    shouldUpgradeCallback: ({ method, url = '', headers }: IncomingMessage) =>
      method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && SOCKET_PATH.test(url),
  };
  const made = createAdaptorServer({
    async fetch(request, env) {
      const response = await api.fetch(request, env);
      const isUpgrade = env !== undefined && !('outgoing' in env && env.outgoing !== undefined);
      if (isUpgrade && response.status >= 300) hangUp(env.incoming.socket);
      return response;
    },
    overrideGlobalObjects: false,
    // What the adapter's declarations want of ws is not what those of ws say; the adapter is made for it.
    websocket: { server: sockets as unknown as AdaptedSockets },
    createServer: secure ? createTlsServer : createServer,
    serverOptions,
  });
  const server = made as Server;
  return {
    server,
    async close() {
      const ended = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      for (const socket of sockets.clients) socket.terminate();
      await ended;
    },
  };
}
