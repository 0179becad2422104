import { z } from '@hono/zod-openapi';
import { isUri } from '../../artifact/index.ts';
import { encodeBase64url, isJsonObject, type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { enrollAgent } from '../../governor/index.ts';
import { parsePublicJwk } from '../../key/index.ts';
import { openSqliteLogReader } from '../../storage/index.ts';
import { leafHash } from '../../tlog/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { answerJson } from './answer.ts';
import { type Api, addOperation } from './operation.ts';
import { denialProblem, problem } from './problem.ts';
import { after, limit, readQuery } from './read-query.ts';
import { answersOf } from './shapes.ts';

const page = z.strictObject({ after, limit });
const jsonObject = z.custom<JsonObject>(isJsonObject, 'is no object').openapi({ type: 'object' });
const uri = z.string().refine(isUri, 'is no absolute URI').openapi({ format: 'uri' });
const next = z.int().nullable().openapi({ description: '`after` of the page after this one.' });

const newAgent = z
  .strictObject({
    subject: uri.openapi({ description: 'URI of the agent, such as spiffe://local/agent/builder.' }),
    jwk: jsonObject.openapi({ description: 'Its public key (RFC 8037): kty, crv and x.' }),
  })
  .openapi('NewAgent');

const EVENT_BATCH_BYTES = 4 * 1024 * 1024;

/** What the governance log says: its events, and who and what it has enrolled. */
export function addDomainOperations(api: Api, ports: DaemonPorts): void {
  const { home, follower, clock } = ports;
  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/governance/events',
      operationId: 'listGovernanceEvents',
      tags: ['Governance'],
      summary: 'Events of the governance log, in its order',
      description: 'Only what a verified checkpoint covers (spec/governance.md).',
      request: { query: page },
      responses: {
        200: {
          description: 'A page.',
          content: {
            'application/json': {
              schema: z.object({
                events: z.array(z.object({ index: z.int(), leafHash: z.string(), event: jsonObject })),
                next,
              }),
            },
          },
        },
        ...answersOf(400, 401, 403, 429, 503),
      },
    },
    exposure: 'read',
    handle(context) {
      const query = readQuery(context, page);
      if (isDenial(query)) return denialProblem(query, { detail: query.detail });
      const start = query.after ?? 0;
      const { size } = follower.refresh();
      const reader = openSqliteLogReader(home.governanceFolder);
      try {
        const entries = reader.read(start, Math.max(0, Math.min(query.limit, size - start)));
        const events: { index: number; leafHash: string; event: JsonObject }[] = [];
        let bytes = 0;
        for (const [offset, entry] of entries.entries()) {
          bytes += entry.byteLength;
          if (bytes > EVENT_BATCH_BYTES && events.length > 0) break;
          const event = parseJsonObject(entry, 'revocation.stale');
          if (isDenial(event)) return denialProblem(event);
          events.push({ index: start + offset, leafHash: encodeBase64url(leafHash(entry)), event });
        }
        const end = start + events.length;
        return answerJson(context, { events, next: end < size && events.length > 0 ? end : null });
      } finally {
        reader.close();
      }
    },
  });

  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/agents',
      operationId: 'listAgents',
      tags: ['Agents'],
      summary: 'Enrolled agents and their keys, in order of enrolment',
      request: { query: page },
      responses: {
        200: {
          description: 'A page. A retired agent has no keys.',
          content: { 'application/json': { schema: z.object({ agents: z.array(z.object({})), next }) } },
        },
        ...answersOf(400, 401, 403, 429),
      },
    },
    exposure: 'read',
    handle(context) {
      const query = readQuery(context, page);
      if (isDenial(query)) return denialProblem(query, { detail: query.detail });
      const { items, next: following } = slice(follower.refresh().state.agents, query);
      const agents = items.map(({ subject, keys }) => ({
        subject,
        keys: keys.map(({ jwk, thumbprint }) => ({ thumbprint, jwk })),
      }));
      return answerJson(context, { agents, next: following });
    },
  });

  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/agents',
      operationId: 'enrollAgent',
      tags: ['Agents'],
      summary: 'Bind an agent to a key',
      description: 'Recorded as `agent.enrolled` with the caller as actor.',
      request: { body: { content: { 'application/json': { schema: newAgent } } } },
      responses: {
        201: {
          description: 'In force.',
          content: {
            'application/json': { schema: z.object({ subject: z.string(), thumbprint: z.string() }) },
          },
        },
        ...answersOf(400, 401, 403, 409, 413, 422, 429, 503),
      },
    },
    exposure: 'administer',
    idempotent: true,
    body: newAgent,
    async handle(context, { subject, jwk }, caller) {
      const key = parsePublicJwk(jwk, 'request.malformed');
      if (isDenial(key)) return denialProblem(key, { detail: key.detail });
      const enrolled = follower.refresh().state.agentByThumbprint(key.thumbprint)?.subject;
      if (enrolled !== undefined) return problem(409, 'This key is enrolled already.', { subject: enrolled });
      const by = { actor: caller.id, atSeconds: Math.floor(clock.wallMs() / 1000) };
      const refused = await enrollAgent(home, { subject, key, ...by });
      if (refused !== undefined) return denialProblem(refused, { detail: refused.detail });
      return context.json({ subject, thumbprint: key.thumbprint }, 201);
    },
  });
}

/** A page of a list that only grows at its end. */
export function slice<Item>(
  items: readonly Item[],
  { after: start = 0, limit: count }: { readonly after?: number | undefined; readonly limit: number },
): { readonly items: readonly Item[]; readonly next: number | null } {
  const end = start + count;
  return { items: items.slice(start, end), next: end < items.length ? end : null };
}
