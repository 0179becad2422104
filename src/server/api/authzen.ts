import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { isJsonObject, type JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import {
  actionOfEvaluation,
  answerBatch,
  denialAnswer,
  EVALUATION_SEMANTICS,
  type Evaluation,
  type EvaluationAnswer,
  MAX_EVALUATIONS,
  parseEvaluation,
  parseEvaluations,
  permitAnswer,
} from '../../enforce/http/index.ts';
import { isLocalName } from '../../governor/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import type { AskOptions, HeldPoint } from '../daemon/held-points.ts';
import { callerTraceOf } from './caller-trace.ts';
import { type Api, addOperation } from './operation.ts';
import { denialProblem, problem } from './problem.ts';
import { answersOf } from './shapes.ts';

/** The enforcement point of the paths that the standard fixes. */
const DEFAULT_POINT = 'authzen';
const NO_POINT = 'There is no such enforcement point.';
/** `told`: the enforcement point will tell how what is permitted ended. */
const OUTCOME_HEADER = 'writ-outcome';
const MAX_EVALUATION_BYTES = 4 * 1024 * 1024;
const MAX_BATCH_BYTES = 16 * 1024 * 1024;

const json = z.custom<JsonObject>(isJsonObject, 'is no object').openapi({ type: 'object' });
const properties = z.object({}).loose().optional();
const entity = z.object({ type: z.string(), id: z.string(), properties });
const tuple = z.object({
  subject: entity,
  action: z.object({ name: z.string(), properties }),
  resource: entity,
  context: properties.describe('`writ_presentation` in it is the presentation for this call.'),
});
const answer = z
  .object({ decision: z.boolean(), context: z.object({}).loose().optional() })
  .openapi('EvaluationAnswer');
const metadata = z
  .object({
    policy_decision_point: z.string(),
    access_evaluation_endpoint: z.string(),
    access_evaluations_endpoint: z.string(),
  })
  .openapi('AuthzenConfiguration');
const batch = tuple.partial().extend({
  evaluations: z.array(tuple.partial()).max(MAX_EVALUATIONS).optional(),
  options: z
    .object({ evaluations_semantic: z.enum(EVALUATION_SEMANTICS).optional() })
    .loose()
    .optional(),
});

interface Asking {
  readonly point: HeldPoint;
  readonly options: AskOptions;
}

/**
 * AuthZEN 1.0. A decision is an answer of status 200, whatever it says; every other status means that nothing was
 * decided. The paths of the standard are those of the enforcement point `authzen`; others have them below
 * `/authzen/{point}`.
 */
export function addAuthzenOperations(api: Api, ports: DaemonPorts): void {
  for (const base of ['', '/authzen/{point}']) {
    api.use(`${base.replace('{point}', ':point')}/access/v1/*`, echoRequestId);
    addEvaluation(api, ports, base);
    addEvaluations(api, ports, base);
    addMetadata(api, base);
  }
}

/** Operations of the standard's own paths, and those of named enforcement points, which are `…At` them. */
function nameOf(operation: string, base: string): string {
  return base === '' ? operation : `${operation}At`;
}

function addEvaluation(api: Api, ports: DaemonPorts, base: string): void {
  addOperation(api, {
    route: {
      method: 'post',
      path: `${base}/access/v1/evaluation`,
      operationId: nameOf('evaluateAccess', base),
      tags: ['AuthZEN'],
      summary: 'Access Evaluation',
      description: 'Decided and recorded as every call; without a presentation the decision is false.',
      request: {
        ...paramsOf(base),
        body: { content: { 'application/json': { schema: tuple.openapi('Evaluation') } } },
      },
      responses: {
        200: { description: 'The decision.', content: { 'application/json': { schema: answer } } },
        ...answersOf(400, 404, 413),
      },
    },
    exposure: 'enforce',
    body: json,
    maxBodyBytes: MAX_EVALUATION_BYTES,
    async handle(context, body) {
      const point = await pointOf(ports, context);
      if (point instanceof Response) return point;
      const evaluation = parseEvaluation(body);
      if (isDenial(evaluation)) return denialProblem(evaluation, { detail: evaluation.detail });
      return context.json(await evaluate(ports, point, evaluation));
    },
  });
}

function addEvaluations(api: Api, ports: DaemonPorts, base: string): void {
  addOperation(api, {
    route: {
      method: 'post',
      path: `${base}/access/v1/evaluations`,
      operationId: nameOf('evaluateAccesses', base),
      tags: ['AuthZEN'],
      summary: 'Access Evaluations',
      description: 'Several at once; top-level members are defaults. What was not evaluated is not answered.',
      request: {
        ...paramsOf(base),
        body: { content: { 'application/json': { schema: batch.openapi('Evaluations') } } },
      },
      responses: {
        200: {
          description: 'The decisions, in the order asked.',
          content: { 'application/json': { schema: z.object({ evaluations: z.array(answer) }) } },
        },
        ...answersOf(400, 404, 413),
      },
    },
    exposure: 'enforce',
    body: json,
    maxBodyBytes: MAX_BATCH_BYTES,
    async handle(context, body) {
      const point = await pointOf(ports, context);
      if (point instanceof Response) return point;
      const asked = parseEvaluations(body);
      if (isDenial(asked)) return denialProblem(asked, { detail: asked.detail });
      const ask = (evaluation: Evaluation) => evaluate(ports, point, evaluation);
      if (!('evaluations' in asked)) return context.json(await ask(asked));
      return context.json({ evaluations: await answerBatch(asked, ask) });
    },
  });
}

function addMetadata(api: Api, base: string): void {
  addOperation(api, {
    route: {
      method: 'get',
      path: `/.well-known/authzen-configuration${base}`,
      operationId: nameOf('getAuthzenConfiguration', base),
      tags: ['AuthZEN'],
      summary: 'Policy decision point metadata',
      request: paramsOf(base),
      responses: {
        200: { description: 'Where it answers.', content: { 'application/json': { schema: metadata } } },
        ...answersOf(404),
      },
    },
    exposure: 'public',
    handle(context) {
      const name = context.req.param('point') ?? DEFAULT_POINT;
      if (!isLocalName(name)) return problem(404, NO_POINT);
      const pdp = `${new URL(context.req.url).origin}${base.replace('{point}', name)}`;
      return context.json({
        policy_decision_point: pdp,
        access_evaluation_endpoint: `${pdp}/access/v1/evaluation`,
        access_evaluations_endpoint: `${pdp}/access/v1/evaluations`,
      });
    },
  });
}

/** How the enforcement point that a path names asks; or why it cannot. */
async function pointOf({ held }: DaemonPorts, context: Context): Promise<Asking | Response> {
  const name = context.req.param('point') ?? DEFAULT_POINT;
  if (!isLocalName(name)) return problem(404, NO_POINT);
  const point = await held.open(name);
  const told = context.req.header(OUTCOME_HEADER) === 'told';
  const options = { told, caller: callerTraceOf(context) };
  return isDenial(point) ? denialProblem(point, { detail: point.detail }) : { point, options };
}

async function evaluate(
  { metrics, clock }: DaemonPorts,
  { point, options }: Asking,
  evaluation: Evaluation,
): Promise<EvaluationAnswer> {
  const startedMs = clock.monotonicMs();
  const asked = await point.ask(actionOfEvaluation(evaluation), options);
  if (isDenial(asked)) return denialAnswer(asked);
  metrics.decided(asked.verdict === 'deny' ? asked.denial : undefined, clock.monotonicMs() - startedMs);
  return asked.verdict === 'deny' ? denialAnswer(asked.denial, asked) : permitAnswer(asked);
}

/** A PEP that names its request is given the name back, whatever the answer. */
async function echoRequestId(context: Context, next: () => Promise<void>): Promise<void> {
  await next();
  const id = context.req.header('x-request-id');
  if (id !== undefined) context.header('x-request-id', id);
}

function paramsOf(base: string) {
  return base === '' ? {} : { params: z.object({ point: z.string() }) };
}
