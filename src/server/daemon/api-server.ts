import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer, type ServerOptions as TlsOptions } from 'node:https';
import { createAdaptorServer } from '@hono/node-server';
import { WebSocketServer } from 'ws';
import { MAX_SESSION_FRAME_BYTES, SESSION_PROTOCOL } from '../../governor/index.ts';
import type { Api } from '../api/operation.ts';

type AdaptedSockets = NonNullable<Parameters<typeof createAdaptorServer>[0]['websocket']>['server'];

/** A listener of an API: HTTP, and the WebSockets of sessions. */
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
    handleProtocols: (offered) => (offered.has(SESSION_PROTOCOL) ? SESSION_PROTOCOL : false),
  });
  const serverOptions = {
    ...options,
    // All else that asks for another protocol is answered as if it had not.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
  };
  const made = createAdaptorServer({
    fetch: api.fetch,
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
