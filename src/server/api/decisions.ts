import { z } from '@hono/zod-openapi';
import { isDenial } from '../../denial/index.ts';
import { findExecution, listDecisions, readInThread } from '../../governor/index.ts';
import { EVIDENCE_KINDS, parseReceiptFilters } from '../../receipt/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { enrolledLogs } from '../known-logs.ts';
import { answerJson, IMMUTABLE, REVALIDATED } from './answer.ts';
import { type Api, addOperation } from './operation.ts';
import { denialProblem, problem } from './problem.ts';
import { limit, readQuery } from './read-query.ts';
import { answersOf, reasonCode } from './shapes.ts';

const MAX_LINEAGE = 5000;
const MAX_READING_MS = 60_000;

const listQuery = z.strictObject({
  log: z.string().max(64).optional().openapi({ description: 'Only decisions of this execution log.' }),
  agent: z.string().optional(),
  subject: z.string().optional(),
  tool: z.string().optional(),
  code: reasonCode.optional(),
  artifact: z.string().optional(),
  root: z.string().optional(),
  parent: z.string().optional(),
  verdict: z.enum(['permit', 'deny']).optional(),
  sinceMs: z.coerce.number().int().optional(),
  untilMs: z.coerce.number().int().optional(),
  order: z.enum(['newest-first', 'oldest-first']).default('newest-first'),
  cursor: z.string().max(65_536).optional().openapi({
    description: '`next` of the page before. It carries the filters, which are then left out.',
  }),
  limit,
});

const receipt = z.object({}).openapi({ description: 'spec/receipt.md' });
const decision = z
  .object({ log: z.string(), index: z.int(), receipt, outcome: receipt.optional() })
  .openapi('Decision', {
    description: 'A decision receipt with its place, and the outcome receipt once there is one.',
  });
const params = z.object({ execution: z.string() });

export function addDecisionOperations(api: Api, { home, follower }: DaemonPorts): void {
  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/executions',
      operationId: 'listExecutions',
      tags: ['Decisions'],
      summary: 'List decisions, permitted and denied',
      description: 'All pages of a listing are of the moment its first one was asked for.',
      request: { query: listQuery },
      responses: {
        200: {
          description: 'A page.',
          content: {
            'application/json': {
              schema: z.object({ decisions: z.array(decision), next: z.string().nullable() }),
            },
          },
        },
        ...answersOf(400, 401, 403, 429, 503),
      },
    },
    exposure: 'read',
    async handle(context) {
      const query = readQuery(context, listQuery);
      if (isDenial(query)) return denialProblem(query, { detail: query.detail });
      const { log, order, cursor, limit: count, ...filters } = query;
      const known = enrolledLogs(home, follower);
      if (log !== undefined && !known.includes(log)) return problem(404, 'There is no such log.');
      const parsed = parseReceiptFilters(filters);
      if (isDenial(parsed)) return denialProblem(parsed, { detail: parsed.detail });
      const request =
        cursor === undefined ? { filters: parsed, order, limit: count } : { cursor, limit: count };
      const page = await listDecisions(home, log === undefined ? known : [log], request);
      if (isDenial(page)) return denialProblem(page, { detail: page.detail });
      return answerJson(context, { decisions: page.decisions, next: page.next ?? null });
    },
  });

  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/executions/{execution}',
      operationId: 'getExecution',
      tags: ['Decisions'],
      summary: 'One decision, and what came of it',
      request: { params },
      responses: {
        200: { description: 'It.', content: { 'application/json': { schema: decision } } },
        ...answersOf(401, 403, 404, 429),
      },
    },
    exposure: 'read',
    handle(context) {
      const found = findExecution(home, context.req.param('execution') ?? '');
      if (found === undefined) return problem(404, 'No log of this domain has such an execution.');
      found.reader.close();
      const { log, record } = found;
      const { decisionIndex: index, decision: made, outcome, outcomeIndex } = record;
      const ended = outcome !== undefined || made.verdict === 'deny';
      const value = { log, index, receipt: made, ...(outcome && { outcome, outcomeIndex }) };
      return answerJson(context, value, ended ? IMMUTABLE : REVALIDATED);
    },
  });

  const bundleQuery = z.strictObject({
    withhold: z
      .string()
      .optional()
      .openapi({ description: `What to leave out, comma-separated: ${EVIDENCE_KINDS.join(', ')}.` }),
  });
  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/executions/{execution}/bundle',
      operationId: 'getBundle',
      tags: ['Decisions'],
      summary: 'Everything an outsider needs to verify it offline',
      description:
        'An evidence bundle (spec/receipt.md §5). It holds the arguments of the calls unless `request` is withheld.',
      request: { params, query: bundleQuery },
      responses: {
        200: { description: 'The bundle.', content: { 'application/json': { schema: z.object({}) } } },
        ...answersOf(400, 401, 403, 404, 429, 503),
      },
    },
    exposure: 'read',
    unbounded: true,
    async handle(context) {
      const query = readQuery(context, bundleQuery);
      if (isDenial(query)) return denialProblem(query, { detail: query.detail });
      const named = query.withhold?.split(',') ?? [];
      const withhold = EVIDENCE_KINDS.filter((kind) => named.includes(kind));
      if (withhold.length !== named.length) return problem(400, 'There is no such part to withhold.');
      const execution = context.req.param('execution') ?? '';
      const found = findExecution(home, execution);
      if (found === undefined) return problem(404, 'No log of this domain has such an execution.');
      found.reader.close();
      const inTime = AbortSignal.any([AbortSignal.timeout(MAX_READING_MS), context.req.raw.signal]);
      const bundle = await readInThread(home, { kind: 'bundle', execution, withhold }, inTime);
      return isDenial(bundle)
        ? denialProblem(bundle, { detail: bundle.detail })
        : answerJson(context, bundle);
    },
  });

  const lineageQuery = z.strictObject({
    max: z.coerce
      .number()
      .int()
      .min(1)
      .max(MAX_LINEAGE)
      .default(200)
      .openapi({ description: 'Executions shown.' }),
  });
  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/executions/{execution}/lineage',
      operationId: 'getLineage',
      tags: ['Decisions'],
      summary: 'Which execution led to it, and to which it led',
      description: 'In drawing order, each with its depth (spec/lineage.schema.json).',
      request: { params, query: lineageQuery },
      responses: {
        200: { description: 'The lineage.', content: { 'application/json': { schema: z.object({}) } } },
        ...answersOf(400, 401, 403, 404, 429, 503),
      },
    },
    exposure: 'read',
    unbounded: true,
    async handle(context) {
      const query = readQuery(context, lineageQuery);
      if (isDenial(query)) return denialProblem(query, { detail: query.detail });
      const execution = context.req.param('execution') ?? '';
      const found = findExecution(home, execution);
      if (found === undefined) return problem(404, 'No log of this domain has such an execution.');
      found.reader.close();
      const inTime = AbortSignal.any([AbortSignal.timeout(MAX_READING_MS), context.req.raw.signal]);
      const lineage = await readInThread(home, { kind: 'lineage', execution, max: query.max }, inTime);
      return isDenial(lineage)
        ? denialProblem(lineage, { detail: lineage.detail })
        : answerJson(context, lineage);
    },
  });
}
