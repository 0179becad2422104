import { OpenAPIHono } from '@hono/zod-openapi';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { addExecutionOperations } from './executions.ts';
import { addGovernanceEvents } from './governance.ts';
import type { Api } from './operation.ts';
import { problem } from './problem.ts';
import { addSessionOperations } from './sessions.ts';
import { addStatusOperations } from './status.ts';

/** The API of a daemon, as its Unix socket serves it. */
export function createApi(ports: DaemonPorts): Api {
  const api = new OpenAPIHono();
  addStatusOperations(api, ports);
  addSessionOperations(api, ports);
  addExecutionOperations(api, ports);
  addGovernanceEvents(api, ports);
  api.doc31('/openapi.json', (context) => ({
    openapi: '3.1.0',
    info: { title: 'Writ', version: ports.status().version },
    servers: [{ url: new URL(context.req.url).origin }],
  }));
  api.notFound(() => problem(404, 'There is nothing here.'));
  api.onError(() => problem(500, 'Something unforeseen happened.', { code: 'internal.unexpected' }));
  return api;
}
