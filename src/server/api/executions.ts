import { z } from '@hono/zod-openapi';
import { type Presentation, parsePresentation } from '../../artifact/index.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../codec/index.ts';
import type { Action } from '../../decision/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { isLocalName } from '../../governor/index.ts';
import type { Caller } from '../access/caller.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import type { ExecutionEnd, PointSession } from '../daemon/point-session.ts';
import { callerTraceOf } from './caller-trace.ts';
import { type Api, addOperation } from './operation.ts';
import { denialProblem, problem } from './problem.ts';
import { findOwnSession } from './session-owner.ts';
import { answersOf, digest, reasonCode } from './shapes.ts';

const jsonObject = z.custom<JsonObject>(isJsonObject, 'is no object').openapi({ type: 'object' });
const jsonValue = z.custom<JsonValue>((value) => value !== undefined).openapi({ type: 'object' });

/** What the enforcement point itself found wrong: it denies at the stage of its code, and can never permit. */
const refusal = z.strictObject({ code: reasonCode, detail: z.string().max(1000) }).openapi('Refusal');

const action = z
  .strictObject({
    tool: z.string(),
    args: jsonObject,
    presentation: jsonValue.optional().openapi({
      description: 'Artifact chain and proof of possession for this call (AAT §7.4).',
    }),
    presentationRefusal: refusal.optional(),
    toolDigest: digest.optional(),
    refusal: refusal.optional(),
  })
  .openapi('Action');

const permitted = z
  .object({ execution: z.string(), receipt: z.int() })
  .openapi('Permit', { description: 'Durable: the effect may start. Its outcome is to be told.' });

const outcome = z
  .strictObject({
    status: z.enum(['succeeded', 'failed', 'unknown', 'terminated', 'left']).openapi({
      description:
        '`left`: nothing is recorded, and the outcome may be told later, at the enforcement point.',
    }),
    note: z.string().max(200).optional(),
    evidence: z.base64().optional().openapi({ description: 'What came back, for the salted digest.' }),
    result: jsonObject.optional(),
  })
  .openapi('Outcome');

type Ended = ReturnType<PointSession['conclude']>;

/** Whatever executions run in. */
interface Concluding {
  conclude(executionId: string, end: ExecutionEnd): Ended;
  leave?(executionId: string): Ended;
}

/** A call of 4 MiB, whose proof repeats its arguments in base64url. */
const MAX_ACTION_BYTES = 12 * 1024 * 1024;
const MAX_OUTCOME_BYTES = 128 * 1024 * 1024;

export function addExecutionOperations(api: Api, ports: DaemonPorts): void {
  addAsking(api, ports);
  const { sessions, held } = ports;
  addOutcome(api, 'sessions/{session}', (id, caller) => findOwnSession(sessions, id, caller));
  addOutcome(
    api,
    'enforcement-points/{point}',
    (name) => held.find(name),
    (name, id, end) => sessions.concludeLater(name, id, end),
  );
}

function addAsking(api: Api, { sessions, metrics, clock, logger }: DaemonPorts): void {
  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/sessions/{session}/executions',
      operationId: 'askExecution',
      tags: ['Enforcement'],
      summary: 'Ask to execute an action',
      description:
        'The decision is durable in the execution log before the answer. 201 permits exactly this action, once; everything else denies.',
      request: {
        params: z.object({ session: z.string() }),
        body: { content: { 'application/json': { schema: action } } },
      },
      responses: {
        201: { description: 'Permitted.', content: { 'application/json': { schema: permitted } } },
        ...answersOf(400, 401, 403, 404, 413, 429, 503),
      },
    },
    exposure: 'enforce',
    body: action,
    maxBodyBytes: MAX_ACTION_BYTES,
    async handle(context, body, caller) {
      const session = findOwnSession(sessions, context.req.param('session') ?? '', caller);
      if (session === undefined) return problem(404, 'There is no such session.');
      const startedMs = clock.monotonicMs();
      const asked = await session.ask(actionOf(body), callerTraceOf(context));
      if (isDenial(asked)) return denialProblem(asked);
      const denial = asked.verdict === 'deny' ? asked.denial : undefined;
      metrics.decided(denial, clock.monotonicMs() - startedMs);
      const { executionId: execution, receiptIndex: receipt } = asked;
      if (denial === undefined) return context.json({ execution, receipt }, 201);
      logger.info({ execution, code: denial.code }, 'denied');
      return denialProblem(denial, { execution, ...(receipt === undefined ? {} : { receipt }) });
    },
  });
}

/** @param at where the executions run: in a session, or at an enforcement point whose session the daemon holds. */
function addOutcome(
  api: Api,
  at: 'sessions/{session}' | 'enforcement-points/{point}',
  find: (name: string, caller: Caller) => Concluding | undefined | Promise<Concluding | undefined>,
  later?: (name: string, executionId: string, end: ExecutionEnd) => Promise<Denial | undefined>,
): void {
  const param = at === 'sessions/{session}' ? 'session' : 'point';
  addOperation(api, {
    route: {
      method: 'post',
      path: `/v1/${at}/executions/{execution}/outcome`,
      operationId: param === 'session' ? 'tellOutcome' : 'tellOutcomeAt',
      tags: ['Enforcement'],
      summary: 'Tell how an execution ended',
      description:
        '`terminated` in the answer says that it no longer stood and is recorded so: what it gave must not be passed on.',
      request: {
        params: z.object({ [param]: z.string(), execution: z.string() }),
        body: { content: { 'application/json': { schema: outcome } } },
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
    body: outcome,
    maxBodyBytes: MAX_OUTCOME_BYTES,
    async handle(context, { status, note, evidence, result }, caller) {
      const name = context.req.param(param) ?? '';
      const execution = context.req.param('execution') ?? '';
      const running = await find(name, caller);
      const end: ExecutionEnd = {
        status: status === 'terminated' || status === 'left' ? 'unknown' : status,
        ...(note === undefined ? {} : { note }),
        ...(evidence === undefined ? {} : { evidence: Buffer.from(evidence, 'base64') }),
        ...(result && { result }),
      };
      const leaves = status === 'left' && running?.leave !== undefined;
      const ended = leaves ? running?.leave?.(execution) : running?.conclude(execution, end);
      if (running === undefined || ended === 'unknown') {
        if (later === undefined || !isLocalName(name)) return problem(404, 'No such execution runs here.');
        const refused = await later(name, execution, end);
        if (refused === undefined) return context.json({});
        const { code, detail } = refused;
        if (code === 'log.unavailable') return denialProblem(refused, { detail });
        return problem(404, 'No such execution waits for its outcome.', { code, detail });
      }
      return context.json(ended === undefined ? {} : { terminated: ended.code });
    },
  });
}

function actionOf(body: z.infer<typeof action>): Action {
  const { tool, args, presentation, presentationRefusal, toolDigest, refusal } = body;
  return {
    tool,
    args,
    presentation: presentationRefusal ? denialOf(presentationRefusal) : presentationOf(presentation),
    ...(toolDigest && { toolDigest }),
    ...(refusal && { refusal: denialOf(refusal) }),
  };
}

function presentationOf(json: JsonValue | undefined): Presentation | Denial | undefined {
  return json === undefined || json === null ? undefined : parsePresentation(json);
}

function denialOf({ code, detail }: z.infer<typeof refusal>): Denial {
  return deny(code, detail);
}
