import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { isUri } from '../../artifact/index.ts';
import { encodeBase64url, isJsonObject, type JsonObject, sha256Base64url } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import {
  APPROVAL_NAMESPACE,
  type ApprovalStatement,
  type ApproverKey,
  BREAK_GLASS,
  type GovernanceState,
  isReasonText,
  isRole,
  MAX_APPROVAL_SECONDS,
  MAX_BREAK_GLASS_SECONDS,
  parseApprovalStatement,
  type StatementSignature,
  statementBytes,
} from '../../governance/index.ts';
import {
  type ApprovalRequest,
  ApprovalRequests,
  findSignOffProblem,
  recordApproval,
  rolesFor,
  type ShownAction,
  statementFor,
} from '../../governor/index.ts';
import { parseSshArmour } from '../../key/index.ts';
import type { Caller } from '../access/caller.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { assertionOptions, verifyAssertion } from '../webauthn-approvals.ts';
import { answerJson } from './answer.ts';
import { approvalDocument, approvalSummary, describeInFull, describeRequest } from './approval-document.ts';
import { type Api, addOperation } from './operation.ts';
import { denialProblem, problem } from './problem.ts';
import { limit, readQuery } from './read-query.ts';
import { answersOf } from './shapes.ts';
import { assertion } from './webauthn-shapes.ts';

/** A request can be decided for a day at most. */
const LISTED_MS = 86_400_000;
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

const params = z.object({ request: z.string() });
const decision = z.enum(['approve', 'reject']);

const newStatement = z
  .strictObject({
    approver: z.string().refine(isUri, 'is no absolute URI').openapi({ format: 'uri' }),
    decision,
    role: z.string().refine(isRole, 'is no role').optional().openapi({
      description: 'Left out where the approver has one of the roles that are asked for.',
    }),
    reason: z
      .string()
      .refine(isReasonText, 'is not one line of printable characters')
      .optional()
      .openapi({ description: 'Recorded in clear, for ever. `break-glass` takes one.' }),
    seconds: z
      .int()
      .min(1)
      .max(MAX_APPROVAL_SECONDS)
      .optional()
      .openapi({ description: 'How long a consent holds. Default: as long as a request.' }),
  })
  .openapi('NewStatement');

const sshSignature = z
  .strictObject({
    kind: z.literal('ssh'),
    signature: z.string().max(16_384).openapi({
      description: 'SSHSIG: armoured as `ssh-keygen -Y sign` writes it, or the bytes inside in base64url.',
    }),
  })
  .openapi('SshSignature');

const signedStatement = z
  .strictObject({
    statement: z
      .custom<JsonObject>(isJsonObject, 'is no object')
      .openapi({ type: 'object', description: 'Exactly what was signed (spec/governance.md §5).' }),
    signature: z.discriminatedUnion('kind', [
      sshSignature,
      z.strictObject({ kind: z.literal('webauthn'), assertion }).openapi('WebAuthnSignature'),
    ]),
    acceptHidden: z.boolean().optional().openapi({
      description: 'Consents although redaction rules hide part of the action from everyone.',
    }),
  })
  .openapi('SignedStatement');

type SignedStatement = z.infer<typeof signedStatement>;

/** Requests for approval, and what approvers sign about them (DESIGN §5). */
export function addApprovalOperations(api: Api, ports: DaemonPorts): void {
  addReading(api, ports);
  addPage(api);
  addSigning(api, ports);
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
        'Newest first, among the newest 1,000. An action that was asked for again is listed once, by its newest request.',
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
      const listed = await withRequests(ports, (requests, state) => requests.list(state, { nowMs, sinceMs }));
      if (isDenial(listed)) return denialProblem(listed, { detail: listed.detail });
      // Ids are UUIDv7: their order is that of time, and a page begins after one whether it is still there or not.
      const matching = listed
        .filter((one) => status === undefined || one.status === status)
        .filter((one) => tool === undefined || one.receipt.tool === tool)
        .filter((one) => after === undefined || one.id < after)
        .sort((left, right) => (left.id < right.id ? 1 : -1));
      const shown = matching.slice(0, count);
      const next = matching.length > shown.length ? (shown.at(-1)?.id ?? null) : null;
      return answerJson(context, { approvals: shown.map(describeRequest), next });
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
      request: { params },
      responses: {
        200: { description: 'It.', content: { 'application/json': { schema: approvalDocument } } },
        ...answersOf(401, 403, 404, 429, 503),
      },
    },
    exposure: 'read',
    async handle(context) {
      const found = await findRequest(ports, context);
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
      request: { params },
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

function addSigning(api: Api, ports: DaemonPorts): void {
  const { home, clock } = ports;
  const nowSeconds = () => Math.floor(clock.wallMs() / 1000);
  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/approvals/{request}/statements',
      operationId: 'prepareApproval',
      tags: ['Approvals'],
      summary: 'The statement for an approver to sign',
      description:
        'Records nothing. `text` is what `ssh-keygen -Y sign -n writ-approval@v1` is given, byte for byte; `webauthn` is what a browser is given, its challenge the SHA-256 of the same bytes.',
      request: { params, body: { content: { 'application/json': { schema: newStatement } } } },
      responses: {
        200: {
          description: 'To be signed by that approver, and sent with its signature.',
          content: {
            'application/json': {
              schema: z.object({
                statement: z.object({}),
                text: z.string(),
                challenge: z.string(),
                ssh: z.object({ namespace: z.string() }).nullable(),
                webauthn: z
                  .object({})
                  .nullable()
                  .openapi({ description: 'PublicKeyCredentialRequestOptionsJSON (WebAuthn Level 3).' }),
              }),
            },
          },
        },
        ...answersOf(400, 401, 403, 404, 413, 429, 503),
      },
    },
    exposure: 'approve',
    body: newStatement,
    async handle(context, asked, caller) {
      const found = await findRequest(ports, context);
      if (found instanceof Response) return found;
      const { request, state } = found;
      const { approver, decision: said, reason, seconds } = asked;
      const own = ownRequest(request, caller);
      if (own !== undefined) return refused(own);
      const role = roleOf(state, request, asked);
      if (isDenial(role)) return refused(role);
      const statement = statementFor(
        home,
        request,
        {
          ...{ approver, role, decision: said },
          ...(reason === undefined ? {} : { reason }),
          ...(seconds === undefined ? {} : { seconds }),
        },
        nowSeconds(),
      );
      if (isDenial(statement)) return refused(statement);
      const bytes = statementBytes(statement);
      const keys = keysOf(state, statement);
      const credentials = keys.filter((key) => key.kind === 'webauthn');
      return context.json({
        statement,
        text: Buffer.from(bytes).toString('utf8'),
        challenge: sha256Base64url(bytes),
        ssh: keys.some(({ kind }) => kind === 'ssh') ? { namespace: APPROVAL_NAMESPACE } : null,
        webauthn: credentials.length === 0 ? null : await assertionOptions(statement, credentials),
      });
    },
  });

  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/approvals/{request}/decisions',
      operationId: 'decideApproval',
      tags: ['Approvals'],
      summary: 'Record what an approver has signed',
      description:
        'The signature decides, not who sends it: the statement is recorded as `approval.given`, the caller as its actor, and counts when this answers. One rejection wins over every consent.',
      request: { params, body: { content: { 'application/json': { schema: signedStatement } } } },
      responses: {
        201: {
          description: 'Recorded; the request as it now stands.',
          content: { 'application/json': { schema: approvalDocument } },
        },
        ...answersOf(400, 401, 403, 404, 409, 413, 422, 429, 503),
      },
    },
    exposure: 'approve',
    idempotent: true,
    body: signedStatement,
    async handle(context, body, caller) {
      const found = await findRequest(ports, context);
      if (found instanceof Response) return found;
      const { request, action, state } = found;
      const own = ownRequest(request, caller);
      if (own !== undefined) return refused(own);
      const statement = parseApprovalStatement(body.statement);
      if (isDenial(statement)) return refused(statement);
      const unseen = statement.decision === 'approve' ? findUnseen(action, body) : undefined;
      if (unseen !== undefined) return unseen;
      const signature = await signatureOf(body, statement, keysOf(state, statement));
      if (isDenial(signature)) return refused(signature);
      const wrong = findSignOffProblem(request, statement, signature, state);
      if (wrong !== undefined) return refused(wrong);
      const by = { actor: caller.id, atSeconds: nowSeconds() };
      const conflict = await recordApproval(home, statement, signature, by);
      if (conflict !== undefined) {
        const { code, detail } = conflict;
        return code === 'request.malformed'
          ? problem(409, 'It conflicts with what stands.', { code, detail })
          : denialProblem(conflict, { detail });
      }
      const { approver, role, decision: said } = statement;
      ports.logger.info(
        { request: request.id, approver, role, decision: said, actor: caller.id },
        'approval',
      );
      const now = await findRequest(ports, context);
      return now instanceof Response ? now : context.json(describeInFull(now.request, now.action), 201);
    },
  });
}

interface Found {
  readonly request: ApprovalRequest;
  readonly action: ShownAction;
  readonly state: GovernanceState;
}

function findRequest(ports: DaemonPorts, context: Context): Promise<Found | Response> {
  const id = context.req.param('request') ?? '';
  const none = () => problem(404, 'No action with this id waits for approval.');
  return withRequests<Found | Response>(ports, (requests, state) => {
    const request = EXECUTION_ID.test(id) ? requests.find(id, state, ports.clock.wallMs()) : undefined;
    return request === undefined || isDenial(request)
      ? none()
      : { request, action: requests.show(request), state };
  }).then((found) => (isDenial(found) ? denialProblem(found, { detail: found.detail }) : found));
}

async function withRequests<T>(
  { home, follower }: DaemonPorts,
  use: (requests: ApprovalRequests, state: GovernanceState) => T | Promise<T>,
): Promise<T | Denial> {
  const { state } = follower.refresh();
  const requests = ApprovalRequests.open(home, state);
  if (isDenial(requests)) return requests;
  try {
    return await use(requests, state);
  } finally {
    requests.close();
  }
}

/** Whoever had the artifact issued, with this very token, has no part in approving what is done under it. */
function ownRequest({ requesters }: ApprovalRequest, { id, role }: Caller): Denial | undefined {
  return role !== 'owner' && requesters.includes(id)
    ? deny('identity.mismatch', `${id} asks for this action, and has no part in approving it`)
    : undefined;
}

/** Nobody consents to what nobody can see, unless they say that they do. */
function findUnseen(action: ShownAction, { acceptHidden }: SignedStatement): Response | undefined {
  if (action.kind === 'missing') {
    return problem(409, 'What cannot be shown cannot be approved.', { detail: action.why });
  }
  return action.kind === 'redacted' && acceptHidden !== true
    ? problem(409, 'Part of it is hidden by redaction rules: acceptHidden says that you approve it unseen.', {
        hidden: action.hidden.join(', '),
      })
    : undefined;
}

function roleOf(
  state: GovernanceState,
  request: ApprovalRequest,
  { approver, role, reason, seconds, decision: said }: z.infer<typeof newStatement>,
): string | Denial {
  const enrolled = state.approvals.approver(approver);
  if (enrolled === undefined) return deny('identity.mismatch', `${approver} is not enrolled as an approver`);
  if (role === BREAK_GLASS) {
    if (reason === undefined || said !== 'approve')
      return deny('request.malformed', 'breaking the glass is an approval, and takes a reason');
    if ((seconds ?? 0) > MAX_BREAK_GLASS_SECONDS)
      return deny('request.malformed', `breaking the glass holds for ${MAX_BREAK_GLASS_SECONDS} s at most`);
  }
  if (role !== undefined) {
    return enrolled.keys.some(({ roles }) => roles.includes(role))
      ? role
      : deny('identity.mismatch', `${approver} is not enrolled as ${role}`);
  }
  const [only, ...others] = rolesFor(state, request, approver);
  if (only === undefined) return deny('identity.mismatch', `${approver} has no role that is asked for`);
  return others.length === 0
    ? only
    : deny('request.malformed', `role: ${approver} is enrolled as ${[only, ...others].join(', ')}`);
}

/** Keys of the approver that may sign it. */
function keysOf(state: GovernanceState, { approver, role }: ApprovalStatement): readonly ApproverKey[] {
  const keys = state.approvals.approver(approver)?.keys ?? [];
  return keys.filter(({ roles }) => roles.includes(role)).map(({ key }) => key.stated);
}

function signatureOf(
  { signature: given }: SignedStatement,
  statement: ApprovalStatement,
  keys: readonly ApproverKey[],
): Promise<StatementSignature | Denial> | StatementSignature | Denial {
  if (given.kind === 'webauthn') {
    return verifyAssertion(
      statement,
      given.assertion,
      keys.filter((key) => key.kind === 'webauthn'),
    );
  }
  const { signature } = given;
  if (!signature.startsWith('-----')) {
    return /^[A-Za-z0-9_-]{1,12000}$/.test(signature)
      ? { kind: 'ssh', signature }
      : deny('request.malformed', 'signature.signature is neither armoured nor base64url');
  }
  const blob = parseSshArmour(signature);
  return isDenial(blob) ? blob : { kind: 'ssh', signature: encodeBase64url(blob) };
}

/** The caller is known, so nothing here is 401: what does not count is the signature, or whose it is. */
function refused(denial: Denial): Response {
  const { code, detail, reason } = denial;
  if (reason.http !== 401) return denialProblem(denial, { detail });
  const title = code === 'identity.mismatch' ? 'Not theirs to approve.' : 'The signature does not count.';
  return problem(403, title, { code, type: `urn:writ:reason:${code}`, detail });
}
