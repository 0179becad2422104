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
  })
  .openapi('Status');

export function addStatusOperations(api: Api, ports: DaemonPorts): void {
  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/status',
      tags: ['Status'],
      summary: 'What this daemon is and does',
      responses: { 200: { description: 'Now.', content: { 'application/json': { schema: status } } } },
    },
    handle: (context) => context.json(ports.status()),
  });
  // Alive: it answers. What it could do then, /readyz says.
  api.get('/healthz', (context) => context.text('ok\n'));
  api.get('/readyz', (context) => {
    const { ready, problems } = ports.status();
    return ready ? context.text('ready\n') : context.text(`${problems.join('\n')}\n`, 503);
  });
  api.get('/metrics', async (context) => {
    context.header('content-type', ports.metrics.contentType);
    return context.body(await ports.metrics.text());
  });
}
