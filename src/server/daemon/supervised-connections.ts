import { SupervisedGate } from '../access/supervised-gate.ts';
import { createApi } from '../api/api.ts';
import { OPEN_SESSION } from '../api/sessions.ts';
import { type ApiServer, createApiServer } from './api-server.ts';
import type { DaemonPorts } from './daemon-ports.ts';

/**
 * Serves the connections of supervised processes: a server that listens nowhere, so that nobody but the children who were
 * given one has a connection to it.
 */
export function serveSupervised(ports: DaemonPorts, owner: string): ApiServer {
  const made = createApiServer(createApi(ports, new SupervisedGate(owner, OPEN_SESSION)), {}, false);
  ports.supervised.serveWith((connection) => made.server.emit('connection', connection));
  return made;
}
