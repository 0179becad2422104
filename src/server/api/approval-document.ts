import { z } from '@hono/zod-openapi';
import {
  type Approver,
  BREAK_GLASS,
  type GivenApproval,
  type StatementSignature,
} from '../../governance/index.ts';
import type { ApprovalRequest, ShownAction } from '../../governor/index.ts';

const nullable = z.string().nullable();

/** As an action that waits is listed. */
export const approvalSummary = z
  .object({
    id: z.string().openapi({ description: 'Execution id of the denial that is the request.' }),
    status: z.enum(['open', 'approved', 'used', 'rejected', 'expired']),
    tool: z.string(),
    askedAt: z.string(),
    expiresAt: z.string(),
    agent: nullable,
    initiator: z.object({}).nullable(),
    requesters: z.array(z.string()).openapi({ description: 'Who asks, and so does not approve.' }),
    audience: nullable,
    purpose: nullable,
    reference: nullable,
    required: z.array(z.object({ role: z.string(), threshold: z.int() })),
    missing: z
      .array(z.object({ role: z.string(), people: z.int() }))
      .openapi({ description: 'How many people more must consent.' }),
    given: z.array(z.object({})).openapi({ description: 'What counts of what approvers signed.' }),
    log: z.string(),
    index: z.int(),
  })
  .openapi('Approval');

export const approvalDocument = approvalSummary
  .extend({
    binds: z
      .object({ actionDigest: nullable, artifactDigest: nullable, policyDigest: nullable })
      .openapi({ description: 'What a statement about this request has to say (spec/governance.md §5).' }),
    action: z.object({}).openapi({
      description:
        '`whole`: the arguments, which are those of `actionDigest`. `redacted`: what rules let anyone see, and the pointers of what they hide. `missing`: why nothing can be shown.',
    }),
  })
  .openapi('ApprovalInFull');

/** Times are instants, so that the document stays the same until something happens. */
export function describeRequest({ receipt, ...request }: ApprovalRequest): object {
  const { id, status, atMs, expiresAtMs, requesters, required, missing, given, log, index } = request;
  const { tool, agent, artifact, audiences } = receipt;
  return {
    ...{ id, status, tool },
    askedAt: new Date(atMs).toISOString(),
    expiresAt: new Date(expiresAtMs).toISOString(),
    agent: agent ?? null,
    initiator: artifact?.initiator ?? null,
    requesters,
    audience: audiences.at(-1) ?? null,
    purpose: artifact?.purpose ?? null,
    reference: artifact?.reference ?? null,
    required,
    // What has run, was rejected or is over waits for nobody.
    missing: status === 'open' ? missing : [],
    given: given.map(describeGiven),
    ...{ log, index },
  };
}

export function describeInFull(request: ApprovalRequest, action: ShownAction): object {
  const { approvals, artifact, policy, lineage } = request.receipt;
  return {
    ...describeRequest(request),
    binds: {
      actionDigest: approvals?.action ?? null,
      artifactDigest: artifact?.digest ?? null,
      policyDigest: policy?.digest ?? null,
    },
    artifact: artifact === undefined ? null : { digest: artifact.digest, tokens: artifact.tokenIds },
    policy:
      policy === undefined
        ? null
        : { id: policy.id, digest: policy.digest, determining: policy.determining ?? [] },
    parent: lineage?.parent ?? null,
    action,
  };
}

function describeGiven({ statement, signature, keyThumbprint, index, atSeconds }: GivenApproval): object {
  const { approver, role, decision, reason, nbf, exp, nonce } = statement;
  return {
    ...{ approver, role, decision, reason: reason ?? null, nbf, exp, nonce },
    breakGlass: role === BREAK_GLASS,
    signedWith: { kind: signature.kind satisfies StatementSignature['kind'], thumbprint: keyThumbprint },
    recorded: { index, at: atSeconds },
  };
}

export const approverDocument = z
  .object({ subject: z.string(), keys: z.array(z.object({})) })
  .openapi('Approver', { description: 'A retired approver has no keys.' });

export function describeApprover({ subject, keys }: Approver): object {
  return {
    subject,
    keys: keys.map(({ key, roles }) => ({ thumbprint: key.thumbprint, roles, ...key.stated })),
  };
}
