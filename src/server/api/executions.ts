import { z } from '@hono/zod-openapi';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { endOf, outcomeMessage } from './execution-messages.ts';
import { type Api, addOperation } from './operation.ts';
import { problem } from './problem.ts';
import { answersOf, reasonCode } from './shapes.ts';

const MAX_OUTCOME_BYTES = 128 * 1024 * 1024;

/** Enforcement points that only ask (AuthZEN) tell here what became of what they were permitted. */
export function addExecutionOperations(api: Api, { held }: DaemonPorts): void {
  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/enforcement-points/{point}/executions/{execution}/outcome',
      operationId: 'tellOutcomeAt',
      tags: ['Enforcement'],
      summary: 'Tell how an execution ended',
      description:
        '`terminated` in the answer says that it no longer stood and is recorded so: what it gave must not be passed on.',
      request: {
        params: z.object({ point: z.string(), execution: z.string() }),
        body: { content: { 'application/json': { schema: outcomeMessage } } },
      },
      responses: {
        200: {
          description: 'It is being recorded.',
          content: { 'application/json': { schema: z.object({ terminated: reasonCode.optional() }) } },
        },
        ...answersOf(400, 404, 413, 503),
      },
    },
    exposure: 'enforce',
    body: outcomeMessage,
    maxBodyBytes: MAX_OUTCOME_BYTES,
    async handle(context, outcome) {
      const point = await held.find(context.req.param('point') ?? '');
      const ended = point?.conclude(context.req.param('execution') ?? '', endOf(outcome));
      if (point === undefined || ended === 'unknown') return problem(404, 'No such execution runs here.');
      return context.json(ended === undefined ? {} : { terminated: ended.code });
    },
  });
}
