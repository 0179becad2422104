import { z } from '@hono/zod-openapi';
import { canonicalize, isJsonObject, type JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { type GovernanceEvent, parseGovernanceEvent } from '../../governance/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { type Api, addOperation } from './operation.ts';
import { denialProblem } from './problem.ts';
import { answersOf } from './shapes.ts';

const MAX_EVENTS = 1000;
const MAX_BODY_BYTES = 8 * 1024 * 1024;

const events = z
  .strictObject({
    events: z
      .array(z.custom<JsonObject>(isJsonObject, 'is no object').openapi({ type: 'object' }))
      .min(1)
      .max(MAX_EVENTS),
  })
  .openapi('GovernanceEvents', { description: 'Events as spec/governance.md has them, with their type.' });

/** Only on the Unix socket, whose users could write the log's files themselves. */
export function addGovernanceEvents(api: Api, { authority, sessions, logger }: DaemonPorts): void {
  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/governance/events',
      operationId: 'appendGovernanceEvents',
      tags: ['Governance'],
      summary: 'Append events to the governance log',
      description: 'All of them or none. When this answers, every follower honours them.',
      request: { body: { content: { 'application/json': { schema: events } } } },
      responses: {
        201: {
          description: 'In force.',
          content: { 'application/json': { schema: z.object({ size: z.int() }) } },
        },
        ...answersOf(400, 413, 503),
      },
    },
    body: events,
    maxBodyBytes: MAX_BODY_BYTES,
    async handle(context, body) {
      const parsed: GovernanceEvent[] = [];
      for (const json of body.events) {
        const event = parseGovernanceEvent(Buffer.from(canonicalize(json)));
        if (isDenial(event)) return denialProblem(event, { detail: event.detail });
        parsed.push(event);
      }
      const size = await authority.append(parsed);
      if (isDenial(size)) return denialProblem(size, { detail: size.detail });
      for (const { event, actor } of parsed) logger.info({ event, actor, size }, 'governance');
      // What no longer stands has been told to stop before the answer says that it is in force.
      await sessions.reverify();
      return context.json({ size }, 201);
    },
  });
}
