import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { isDenial } from '../../denial/index.ts';
import type { GovernanceState } from '../../governance/index.ts';
import {
  type ApprovalRequest,
  ApprovalRequests,
  readInThread,
  type ShownAction,
} from '../../governor/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { answerJson } from './answer.ts';
import { approvalDocument, approvalSummary, describeInFull, describeRequest } from './approval-document.ts';
import { type Api, addOperation } from './operation.ts';
import { denialProblem, problem } from './problem.ts';
import { limit, readQuery } from './read-query.ts';
import { answersOf } from './shapes.ts';

/** A request can be decided for a day at most. */
const LISTED_MS = 86_400_000;
const MAX_READING_MS = 60_000;
const EXECUTION_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const listQuery = z.strictObject({
  status: z
    .enum(['open', 'approved', 'used', 'rejected', 'expired'])
    .optional()
    .openapi({ description: 'Only what stands so now.' }),
  tool: z.string().max(512).optional(),
  sinceMs: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .openapi({ description: 'Only what was asked since. Default: a day ago.' }),
  after: z
    .string()
    .regex(EXECUTION_ID)
    .optional()
    .openapi({ description: '`next` of the page before: the id of its last request.' }),
  limit,
});

export const requestParams = z.object({ request: z.string() });

/** Requests for approval, as they are shown (DESIGN §5). */
export function addApprovalOperations(api: Api, ports: DaemonPorts): void {
  addReading(api, ports);
  addPage(api);
}

function addReading(api: Api, ports: DaemonPorts): void {
  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/approvals',
      operationId: 'listApprovals',
      tags: ['Approvals'],
      summary: 'Actions that wait for approval, or did',
      description:
        'Newest first, among the newest 100,000. An action that was asked for again is listed once, by its newest request.',
      request: { query: listQuery },
      responses: {
        200: {
          description: 'A page.',
          content: {
            'application/json': {
              schema: z.object({ approvals: z.array(approvalSummary), next: z.string().nullable() }),
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
      const { status, tool, after, limit: count } = query;
      const nowMs = ports.clock.wallMs();
      const sinceMs = query.sinceMs ?? nowMs - LISTED_MS;
      // A log that has grown much since it was last asked takes long to look through: no decision waits for that.
      const page = await readInThread(
        ports.home,
        {
          ...{ kind: 'approvals', nowMs, sinceMs, limit: count },
          ...(status && { status }),
          ...(tool && { tool }),
          ...(after && { after }),
        },
        AbortSignal.any([context.req.raw.signal, AbortSignal.timeout(MAX_READING_MS)]),
      );
      if (isDenial(page)) return denialProblem(page, { detail: page.detail });
      const { requests, next } = page;
      return answerJson(context, { approvals: requests.map(describeRequest), next });
    },
  });

  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/approvals/{request}',
      operationId: 'getApproval',
      tags: ['Approvals'],
      summary: 'One request: what is asked, what is signed, who has consented and who is missing',
      description:
        'Unseals the arguments and makes sure that they are those of the digest that approvers sign. ETag: it stays the same until something happens.',
      request: { params: requestParams },
      responses: {
        200: { description: 'It.', content: { 'application/json': { schema: approvalDocument } } },
        ...answersOf(401, 403, 404, 429, 503),
      },
    },
    exposure: 'read',
    async handle(context) {
      const found = findRequest(ports, context);
      if (found instanceof Response) return found;
      return answerJson(context, describeInFull(found.request, found.action));
    },
  });
}

/** The address that notices and MCP clients are given, `<base>/approvals/<request>`, leads to something. */
function addPage(api: Api): void {
  addOperation(api, {
    route: {
      method: 'get',
      path: '/approvals/{request}',
      operationId: 'openApproval',
      tags: ['Approvals'],
      summary: 'Where people are sent to approve',
      description:
        'Leads to `/v1/approvals/{request}`, whoever asks and whether there is such a request or not: it says nothing itself.',
      request: { params: requestParams },
      responses: { 303: { description: 'Look there.' }, ...answersOf(404, 429) },
    },
    exposure: 'public',
    handle(context) {
      const id = context.req.param('request') ?? '';
      if (!EXECUTION_ID.test(id)) return problem(404, 'There is nothing here.');
      // Relative: a proxy may serve all of this under a prefix.
      const headers = { location: `../v1/approvals/${id}`, 'cache-control': 'no-store' };
      return new Response(null, { status: 303, headers });
    },
  });
}

export interface FoundRequest {
  readonly request: ApprovalRequest;
  readonly action: ShownAction;
  readonly state: GovernanceState;
}

/** The request that a path names, or the answer that there is none. */
export function findRequest(
  { home, follower, clock }: DaemonPorts,
  context: Context,
): FoundRequest | Response {
  const id = context.req.param('request') ?? '';
  const { state } = follower.refresh();
  const requests = ApprovalRequests.open(home, state);
  if (isDenial(requests)) return denialProblem(requests, { detail: requests.detail });
  try {
    const request = EXECUTION_ID.test(id) ? requests.find(id, state, clock.wallMs()) : undefined;
    return request === undefined || isDenial(request)
      ? problem(404, 'No action with this id waits for approval.')
      : { request, action: requests.show(request), state };
  } finally {
    requests.close();
  }
}
