import { z } from '@hono/zod-openapi';
import { type Digest, isDigest, isJsonObject, type JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { type Home, loadPolicy, publishPolicy, readInThread } from '../../governor/index.ts';
import { buildPolicyBundle, type PolicyBundle } from '../../policy/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { enrolledLogs } from '../known-logs.ts';
import { answerJson, IMMUTABLE, REVALIDATED } from './answer.ts';
import { type Api, addOperation } from './operation.ts';
import { denialProblem, problem } from './problem.ts';
import { answersOf, digest } from './shapes.ts';

const MAX_SIMULATION_MS = 600_000;
const MAX_POLICY_BODY_BYTES = 4 * 1024 * 1024;

const policySource = z
  .strictObject({
    id: z.string().regex(/^[\x21-\x7e]{1,256}$/),
    policies: z
      .array(z.strictObject({ path: z.string().max(256), text: z.string().max(1024 * 1024) }))
      .min(1)
      .max(1000)
      .openapi({ description: 'Cedar text, by the name of its file.' }),
    tools: z
      .array(
        z.strictObject({
          server: z.string().max(64),
          id: z.string().max(512),
          definition: z.custom<JsonObject>(isJsonObject, 'is no object').openapi({ type: 'object' }),
        }),
      )
      .max(20_000)
      .openapi({ description: 'The tools that policies speak of, as their servers define them.' }),
    redaction: z
      .custom<JsonObject>(isJsonObject, 'is no object')
      .optional()
      .openapi({ type: 'object', description: 'What receipts show of calls (spec/policy.md).' }),
  })
  .openapi('PolicySource');

const newPolicy = policySource
  .extend({
    replaces: digest
      .nullable()
      .optional()
      .openapi({ description: 'Only where this is the active policy; null: only where none is.' }),
  })
  .openapi('NewPolicy');

const newSimulation = policySource
  .extend({
    log: z.string().max(64).optional().openapi({ description: 'Only decisions of this execution log.' }),
    sinceMs: z.int().optional(),
    untilMs: z.int().optional(),
  })
  .openapi('NewSimulation');

export function addPolicyOperations(api: Api, { home, follower, clock }: DaemonPorts): void {
  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/policies/{digest}',
      operationId: 'getPolicy',
      tags: ['Policies'],
      summary: 'A policy bundle: its policies and the tools they speak of',
      description: '`active` instead of a digest is the one that decides now.',
      request: { params: z.object({ digest: z.string() }) },
      responses: {
        200: { description: 'The bundle.', content: { 'application/json': { schema: z.object({}) } } },
        ...answersOf(401, 403, 404, 429),
      },
    },
    exposure: 'read',
    handle(context) {
      const named = context.req.param('digest') ?? '';
      const active = follower.refresh().policy?.bundle;
      const bundle =
        named === 'active' ? active : isDigest(named) ? bundleOf(home, named, active) : undefined;
      if (bundle === undefined) return problem(404, 'There is no such policy.');
      return answerJson(context, describe(bundle), named === 'active' ? REVALIDATED : IMMUTABLE);
    },
  });

  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/policies',
      operationId: 'publishPolicy',
      tags: ['Policies'],
      summary: 'Make it the active policy',
      description: 'Validated strictly, then recorded as `policy.published` with the caller as actor.',
      request: { body: { content: { 'application/json': { schema: newPolicy } } } },
      responses: {
        201: {
          description: 'It decides from now on.',
          content: {
            'application/json': { schema: z.object({ id: z.string(), digest, changed: z.boolean() }) },
          },
        },
        ...answersOf(400, 401, 403, 409, 413, 422, 429, 503),
      },
    },
    exposure: 'administer',
    idempotent: true,
    body: newPolicy,
    maxBodyBytes: MAX_POLICY_BODY_BYTES,
    async handle(context, { replaces, ...source }, caller) {
      const built = bundleFrom(source);
      if (built instanceof Response) return built;
      const active = follower.refresh().state.policy?.digest;
      if (replaces !== undefined && replaces !== (active ?? null)) {
        return problem(409, 'Another policy is active.', { active: active ?? '' });
      }
      const changed = active !== built.digest;
      if (changed) {
        const by = { actor: caller.id, atSeconds: Math.floor(clock.wallMs() / 1000) };
        const refused = await publishPolicy(home, built, by);
        if (refused !== undefined) return denialProblem(refused, { detail: refused.detail });
      }
      return context.json({ id: built.id, digest: built.digest, changed }, 201);
    },
  });

  let simulating = false;
  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/policies/simulate',
      operationId: 'simulatePolicy',
      tags: ['Policies'],
      summary: 'What another policy would have changed',
      description:
        'Decides the recorded decisions again, each on what it was decided on, with this policy in place of the one that was active. Changes nothing. One at a time.',
      request: { body: { content: { 'application/json': { schema: newSimulation } } } },
      responses: {
        200: {
          description: 'What changes, by log.',
          content: { 'application/json': { schema: z.object({}) } },
        },
        ...answersOf(400, 401, 403, 404, 413, 429, 503),
      },
    },
    exposure: 'read',
    unbounded: true,
    body: newSimulation,
    maxBodyBytes: MAX_POLICY_BODY_BYTES,
    async handle(context, { log, sinceMs, untilMs, ...source }) {
      const built = bundleFrom(source);
      if (built instanceof Response) return built;
      const known = enrolledLogs(home, follower);
      if (log !== undefined && !known.includes(log)) return problem(404, 'There is no such log.');
      if (simulating) return problem(503, 'Another simulation is running.', {}, { 'retry-after': '10' });
      simulating = true;
      try {
        const logs = log === undefined ? known : [log];
        const times = {
          ...(sinceMs === undefined ? {} : { sinceMs }),
          ...(untilMs === undefined ? {} : { untilMs }),
        };
        const inTime = AbortSignal.any([AbortSignal.timeout(MAX_SIMULATION_MS), context.req.raw.signal]);
        const report = await readInThread(
          home,
          { kind: 'simulation', bundle: built.bytes, logs, ...times },
          inTime,
        );
        if (isDenial(report)) return denialProblem(report, { detail: report.detail });
        return context.json({ policy: { id: built.id, digest: built.digest }, ...report });
      } finally {
        simulating = false;
      }
    },
  });
}

function bundleFrom({
  id,
  policies,
  tools,
  redaction,
}: z.infer<typeof policySource>): PolicyBundle | Response {
  const built = buildPolicyBundle({
    ...{ id, policies, tools },
    ...(redaction && { redaction: { path: 'redaction', rules: redaction } }),
  });
  if ('digest' in built) return built;
  const detail = built.slice(0, 20).map(({ path, line, reason }) => `${path}:${line ?? 1}: ${reason}`);
  return problem(400, 'The policy is not valid.', { code: 'request.malformed', detail: detail.join('\n') });
}

function bundleOf(home: Home, named: Digest, active: PolicyBundle | undefined): PolicyBundle | undefined {
  return active?.digest === named ? active : loadPolicy(home, named)?.bundle;
}

function describe({ id, digest: of, policies, tools, redaction }: PolicyBundle): object {
  return {
    ...{ id, digest: of },
    policies: policies.map(({ id: policy, path, effect, text }) => ({ id: policy, path, effect, text })),
    tools: [...tools].map(([tool, { server, group, digest: pinned, definition }]) => ({
      ...{ id: tool, server, group, digest: pinned, definition },
    })),
    redaction: redaction?.json ?? null,
  };
}
