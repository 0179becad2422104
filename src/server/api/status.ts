import { z } from '@hono/zod-openapi';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { type Api, addOperation } from './operation.ts';

const status = z
  .object({
    domain: z.string(),
    version: z.string(),
    pid: z.int(),
    startedAt: z.string(),
    ready: z.boolean(),
    problems: z.array(z.string()),
    governance: z.object({
      size: z.int(),
      rootHash: z.string(),
      ageSeconds: z.number(),
      policy: z.string().nullable(),
    }),
    sessions: z.int(),
    running: z.int(),
    idleExitSeconds: z.number().optional().openapi({
      description: 'It ends by itself when no enforcement point has been connected for so long.',
    }),
  })
  .openapi('Status');

const TEXT = { 'text/plain': { schema: z.string() } };

export function addStatusOperations(api: Api, ports: DaemonPorts): void {
  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/status',
      operationId: 'getStatus',
      tags: ['Status'],
      summary: 'What this daemon is and does',
      responses: { 200: { description: 'Now.', content: { 'application/json': { schema: status } } } },
    },
    exposure: 'read',
    handle: (context) => context.json(ports.status()),
  });
  addOperation(api, {
    route: {
      method: 'get',
      path: '/healthz',
      operationId: 'getHealth',
      tags: ['Status'],
      summary: 'Alive: it answers. What it could do then, /readyz says',
      responses: { 200: { description: 'It does.', content: TEXT } },
    },
    exposure: 'public',
    handle: (context) => context.text('ok\n'),
  });
  addOperation(api, {
    route: {
      method: 'get',
      path: '/readyz',
      operationId: 'getReadiness',
      tags: ['Status'],
      summary: 'Whether a decision could be made and recorded now',
      responses: {
        200: { description: 'It could.', content: TEXT },
        503: {
          description: 'It could not; why, a line each, is for those on the Unix socket.',
          content: TEXT,
        },
      },
    },
    exposure: 'public',
    handle(context, _body, { role }) {
      const { ready, problems } = ports.status();
      if (ready) return context.text('ready\n');
      return context.text(role === 'owner' ? `${problems.join('\n')}\n` : 'not ready\n', 503);
    },
  });
  addOperation(api, {
    route: {
      method: 'get',
      path: '/metrics',
      operationId: 'getMetrics',
      tags: ['Status'],
      summary: 'Figures, as Prometheus reads them',
      responses: { 200: { description: 'Now.', content: TEXT } },
    },
    exposure: 'read',
    async handle(context) {
      context.header('content-type', ports.metrics.contentType);
      return context.body(await ports.metrics.text());
    },
  });
}
