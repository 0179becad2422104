import { z } from '@hono/zod-openapi';
import { DEFAULT_LIMITS, isUri, parseWritClaim, readToken } from '../../artifact/index.ts';
import { isJsonObject, type JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { GOVERNANCE_EVENT, handlesOfIssued, serializeGovernanceEvent } from '../../governance/index.ts';
import { issueArtifact, revoke } from '../../governor/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { answerJson } from './answer.ts';
import { slice } from './domain.ts';
import { type Api, addOperation } from './operation.ts';
import { denialProblem, problem } from './problem.ts';
import { after, limit, readQuery } from './read-query.ts';
import { answersOf } from './shapes.ts';

const jsonObject = z.custom<JsonObject>(isJsonObject, 'is no object').openapi({ type: 'object' });
const uri = z.string().refine(isUri, 'is no absolute URI').openapi({ format: 'uri' });
const next = z.int().nullable().openapi({ description: '`after` of the page after this one.' });
const page = z.strictObject({ after, limit });
const toolMaps = z
  .custom<{ readonly [tool: string]: JsonObject }>(
    (value) => isJsonObject(value) && Object.values(value).every(isJsonObject),
    'is no object of constraint maps',
  )
  .openapi({ type: 'object', description: 'Constraint maps by tool (AAT §3.3).' });

const newArtifact = z
  .strictObject({
    agent: uri.openapi({ description: 'The enrolled agent that will hold it, by URI.' }),
    tools: toolMaps,
    audiences: z.array(uri).min(1).max(64).openapi({ description: 'Gateways it may be presented to.' }),
    ttlSeconds: z.int().min(1).max(DEFAULT_LIMITS.maxTokenLifetimeSeconds),
    maxDepth: z.int().min(0).max(DEFAULT_LIMITS.maxDelegationDepth).optional(),
    writ: jsonObject.optional().openapi({
      description: 'The `writ` claim (spec/artifact.md). Its initiator is the caller where it names none.',
    }),
  })
  .openapi('NewArtifact');

const newRevocation = z
  .strictObject({
    handle: z.enum(['token', 'holder', 'subject', 'issuer', 'policy', 'environment']),
    value: z.string().min(1).max(4096),
    reason: z.string().min(1).max(1024),
  })
  .openapi('NewRevocation', { description: 'spec/governance.md §3' });

const presented = z
  .strictObject({ chain: z.array(z.string().max(DEFAULT_LIMITS.maxTokenBytes)).min(1).max(9) })
  .openapi('Chain', { description: 'Compact tokens, root first.' });

export function addArtifactOperations(api: Api, ports: DaemonPorts): void {
  const { home, follower, clock } = ports;
  const nowSeconds = () => Math.floor(clock.wallMs() / 1000);

  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/artifacts',
      operationId: 'issueArtifact',
      tags: ['Artifacts'],
      summary: 'Grant tools to an agent',
      description:
        'Signs a root token and records `artifact.issued` with the caller as actor, before it is answered.',
      request: { body: { content: { 'application/json': { schema: newArtifact } } } },
      responses: {
        201: {
          description: 'The artifact: useless without the agent’s key.',
          content: {
            'application/json': {
              schema: z.object({ jti: z.string(), chain: z.array(z.string()), expires: z.int() }),
            },
          },
        },
        ...answersOf(400, 401, 403, 404, 409, 413, 422, 429, 503),
      },
    },
    exposure: 'administer',
    idempotent: true,
    body: newArtifact,
    async handle(context, { agent, tools, audiences, ttlSeconds, maxDepth, writ: claim }, caller) {
      const holder = follower.refresh().state.agentBySubject(agent)?.keys.at(-1);
      if (holder === undefined) return problem(404, 'No such agent is enrolled.');
      // The issuer's word, whoever calls: of a workload it would have to be the key that the token is bound to.
      const initiator = { id: caller.id, kind: 'human' };
      const writ = parseWritClaim({ initiator, ...claim });
      if (isDenial(writ)) return denialProblem(writ, { detail: writ.detail });
      const iatSeconds = nowSeconds();
      const expSeconds = iatSeconds + ttlSeconds;
      const depth = maxDepth === undefined ? {} : { maxDepth };
      const issued = await issueArtifact(
        home,
        { holder, tools, audiences, iatSeconds, expSeconds, writ, ...depth },
        { actor: caller.id, atSeconds: iatSeconds },
      );
      if (isDenial(issued)) {
        // A grant that nothing would accept is a wrong request, not a wrong caller.
        const { detail, code } = issued;
        return code.startsWith('artifact.')
          ? problem(400, 'It cannot be granted.', { code, detail })
          : denialProblem(issued, { detail });
      }
      return context.json({ jti: issued.jti, chain: [issued.compact], expires: expSeconds }, 201);
    },
  });

  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/artifacts',
      operationId: 'listArtifacts',
      tags: ['Artifacts'],
      summary: 'Root tokens that were issued, in the order of the log',
      request: { query: page },
      responses: {
        200: {
          description: 'A page. The tokens themselves are with their holders.',
          content: { 'application/json': { schema: z.object({ artifacts: z.array(z.object({})), next }) } },
        },
        ...answersOf(400, 401, 403, 429),
      },
    },
    exposure: 'read',
    handle(context) {
      const query = readQuery(context, page);
      if (isDenial(query)) return denialProblem(query, { detail: query.detail });
      const { state } = follower.refresh();
      const { items, next: following } = slice(state.issuedArtifacts, query);
      const artifacts = items.map((issued) => {
        const { jti, iss, holder, initiator, exp, at, actor } = issued;
        const revocation = state.findRevocation(handlesOfIssued(issued, state));
        const agent = state.agentByThumbprint(holder)?.subject ?? null;
        return {
          ...{ jti, iss, holder, agent, initiator: initiator ?? null, issued: at, actor, expires: exp },
          revoked: revocation?.atSeconds ?? null,
        };
      });
      return answerJson(context, { artifacts, next: following });
    },
  });

  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/artifacts/inspect',
      operationId: 'inspectArtifact',
      tags: ['Artifacts'],
      summary: 'What the tokens of a chain say',
      description: 'Nothing is verified: that is done where it is presented.',
      request: { body: { content: { 'application/json': { schema: presented } } } },
      responses: {
        200: { description: 'Their claims.', content: { 'application/json': { schema: z.object({}) } } },
        ...answersOf(400, 401, 403, 413, 429),
      },
    },
    exposure: 'read',
    body: presented,
    handle(context, { chain }) {
      const { state } = follower.refresh();
      const tokens: object[] = [];
      for (const compact of chain) {
        const token = readToken(compact);
        if (isDenial(token))
          return problem(400, token.reason.text, { code: token.code, detail: token.detail });
        const { jti, hash, iss, holder, iatSeconds, expSeconds, depth, maxDepth, toolsJson, writ } = token;
        tokens.push({
          ...{ jti, hash, iss, holder: holder.thumbprint, issued: iatSeconds, expires: expSeconds },
          ...{ depth, maxDepth, tools: toolsJson ?? null, writ },
          agent: state.agentByThumbprint(holder.thumbprint)?.subject ?? null,
          onRecord: state.issuedArtifact(jti)?.hash === hash,
        });
      }
      return context.json({ tokens });
    },
  });

  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/revocations',
      operationId: 'revoke',
      tags: ['Artifacts'],
      summary: 'Revoke authority, with all that descends from it',
      description:
        'Recorded as `revoked` with the caller as actor. When this answers, what rests on it is denied, and what of it runs is being stopped. It is never lifted.',
      request: { body: { content: { 'application/json': { schema: newRevocation } } } },
      responses: {
        201: {
          description: 'It holds. `changed` is false where it held already.',
          content: { 'application/json': { schema: z.object({ changed: z.boolean() }) } },
        },
        ...answersOf(400, 401, 403, 409, 413, 422, 429, 503),
      },
    },
    exposure: 'administer',
    idempotent: true,
    body: newRevocation,
    async handle(context, revocation, caller) {
      const by = { actor: caller.id, atSeconds: nowSeconds() };
      const event = {
        type: GOVERNANCE_EVENT,
        event: 'revoked',
        at: by.atSeconds,
        actor: by.actor,
        ...revocation,
      } as const;
      try {
        serializeGovernanceEvent(event);
      } catch (error) {
        return problem(400, 'It is not of the form that its handle takes.', {
          code: 'request.malformed',
          detail: error instanceof Error ? error.message : 'malformed',
        });
      }
      if (follower.refresh().state.findConflict(event) !== undefined)
        return context.json({ changed: false }, 201);
      const refused = await revoke(home, revocation, by);
      if (refused !== undefined) return denialProblem(refused, { detail: refused.detail });
      return context.json({ changed: true }, 201);
    },
  });

  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/revocations',
      operationId: 'listRevocations',
      tags: ['Artifacts'],
      summary: 'What was revoked, in the order of the log',
      request: { query: page },
      responses: {
        200: {
          description: 'A page.',
          content: { 'application/json': { schema: z.object({ revocations: z.array(z.object({})), next }) } },
        },
        ...answersOf(400, 401, 403, 429),
      },
    },
    exposure: 'read',
    handle(context) {
      const query = readQuery(context, page);
      if (isDenial(query)) return denialProblem(query, { detail: query.detail });
      const { items, next: following } = slice(follower.refresh().state.revocations, query);
      return answerJson(context, { revocations: items, next: following });
    },
  });
}
