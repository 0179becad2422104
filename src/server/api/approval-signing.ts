import { z } from '@hono/zod-openapi';
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
import { approvalDocument, describeInFull } from './approval-document.ts';
import { findRequest, requestParams } from './approvals.ts';
import { type Api, addOperation } from './operation.ts';
import { conflictProblem, denialProblem, problem } from './problem.ts';
import { answersOf } from './shapes.ts';
import { assertion } from './webauthn-shapes.ts';

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

/** What approvers sign about a request, prepared and recorded (DESIGN §5). */
export function addApprovalSigning(api: Api, ports: DaemonPorts): void {
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
      request: { params: requestParams, body: { content: { 'application/json': { schema: newStatement } } } },
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
      const found = findRequest(ports, context);
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
      request: {
        params: requestParams,
        body: { content: { 'application/json': { schema: signedStatement } } },
      },
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
      const found = findRequest(ports, context);
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
      if (conflict !== undefined) return conflictProblem(conflict);
      const { approver, role, decision: said } = statement;
      ports.logger.info(
        { request: request.id, approver, role, decision: said, actor: caller.id },
        'approval',
      );
      const now = findRequest(ports, context);
      return now instanceof Response ? now : context.json(describeInFull(now.request, now.action), 201);
    },
  });
}

/** Who asks, under the name of this very token, has no part in approving it, not even as who sends it. */
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
