import { z } from '@hono/zod-openapi';
import { isDigest } from '../../codec/index.ts';
import { type Denial, isDenial } from '../../denial/index.ts';
import { isComponent } from '../../environment/index.ts';
import { isLocalName } from '../../governor/index.ts';
import { approvalsBaseUrl } from '../config/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { EventStream } from './event-stream.ts';
import { type Api, addOperation } from './operation.ts';
import { denialProblem, problem } from './problem.ts';
import { findOwnSession, ownSession } from './session-owner.ts';
import { answersOf, digest, MAX_TOOLS } from './shapes.ts';

const newSession = z
  .strictObject({
    components: z
      .array(
        z
          .strictObject({ kind: z.string(), name: z.string(), digest })
          .refine(isComponent, 'is no component of a measurement'),
      )
      .max(MAX_TOOLS)
      .openapi({ description: 'What was measured of the runtime: the enforcer and what stands behind it.' }),
    measuredAtSeconds: z
      .int()
      .min(0)
      .openapi({ description: 'Unix time at which the oldest component was measured.' }),
  })
  .openapi('NewSession');

const tools = z
  .strictObject({
    tools: z.array(z.strictObject({ id: z.string().min(1).max(1024), digest })).max(MAX_TOOLS),
  })
  .openapi('MeasuredTools');

/** Comments keep intermediaries and timeouts from ending a quiet stream. */
const HEARTBEAT_MS = 15_000;
const MAX_SESSION_BODY_BYTES = 8 * 1024 * 1024;

/** Enforcement points connect: `POST …/sessions` answers with events for as long as the runtime stands. */
export function addSessionOperations(api: Api, { sessions, follower, clock, config }: DaemonPorts): void {
  const approvalsUrl = approvalsBaseUrl(config);
  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/enforcement-points/{name}/sessions',
      operationId: 'openSession',
      tags: ['Enforcement'],
      summary: 'Connect a runtime',
      description:
        'The answer is an event stream (text/event-stream) that ends with the session. `opened` names the session, the execution log, the audience that proofs must name, and what tools are pinned to, and (`approvalsUrl`) where people approve, if that is configured; `terminated` names an execution that no longer stands and must be stopped; `pins` replaces the pins. When the connection ends, so does the session, and what was running in it is recorded as of unknown outcome.',
      request: {
        params: z.object({ name: z.string() }),
        body: { content: { 'application/json': { schema: newSession } } },
      },
      responses: {
        200: {
          description: 'Events of the session.',
          content: { 'text/event-stream': { schema: z.string() } },
        },
        ...answersOf(400, 503),
      },
    },
    exposure: 'enforce',
    unbounded: true,
    body: newSession,
    maxBodyBytes: MAX_SESSION_BODY_BYTES,
    async handle(context, { components, measuredAtSeconds }, caller, stands) {
      const name = context.req.param('name') ?? '';
      if (!isLocalName(name)) return problem(404, 'There is no such enforcement point.');
      const stream = new EventStream();
      const opened = await sessions.open({
        name,
        components,
        // Nobody measured in the future: an instant to come would never grow stale.
        measuredAtSeconds: Math.min(measuredAtSeconds, Math.floor(clock.wallMs() / 1000)),
        onTerminated: (execution, { code }: Denial) => stream.send('terminated', { execution, code }),
      });
      if (isDenial(opened)) return denialProblem(opened, { detail: opened.detail });
      const { session, point } = opened;
      ownSession(session, caller);
      const { policy: active } = follower.refresh();
      const { log, audience } = point;
      const where = approvalsUrl === undefined ? {} : { approvalsUrl };
      stream.send('opened', { session: session.id, log, audience, pins: pinsOf(active), ...where });
      let policy = active?.bundle.digest;
      const heartbeat = setInterval(() => stream.comment(), HEARTBEAT_MS);
      const watching = setInterval(() => {
        if (!stands()) return stream.end();
        const now = follower.view.policy;
        if (now?.bundle.digest === policy) return;
        policy = now?.bundle.digest;
        stream.send('pins', { pins: pinsOf(now) });
      }, 250);
      stream.onEnd(() => {
        clearInterval(heartbeat);
        clearInterval(watching);
        void sessions.end(session);
      });
      return stream.response();
    },
  });

  addOperation(api, {
    route: {
      method: 'put',
      path: '/v1/sessions/{session}/tools',
      operationId: 'tellTools',
      tags: ['Enforcement'],
      summary: 'Tell the definitions of the tools as they now are',
      description: 'They join the measurement that decisions of the session are made on.',
      request: {
        params: z.object({ session: z.string() }),
        body: { content: { 'application/json': { schema: tools } } },
      },
      responses: { 200: { description: 'They count from now on.' }, ...answersOf(400, 404) },
    },
    exposure: 'enforce',
    body: tools,
    maxBodyBytes: MAX_SESSION_BODY_BYTES,
    handle(context, body, caller) {
      const session = findOwnSession(sessions, context.req.param('session') ?? '', caller);
      if (session === undefined) return problem(404, 'There is no such session.');
      session.setTools(body.tools);
      return context.json({});
    },
  });
}

type Policy = ReturnType<DaemonPorts['follower']['refresh']>['policy'];

function pinsOf(policy: Policy): Record<string, string> {
  const pins: Record<string, string> = {};
  for (const [tool, { digest }] of policy?.bundle.tools ?? []) {
    if (isDigest(digest)) pins[tool] = digest;
  }
  return pins;
}
