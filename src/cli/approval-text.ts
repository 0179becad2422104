import type { GivenApproval } from '../governance/index.ts';
import type { ApprovalRequest, Home, RequestStatus, ShownAction } from '../governor/index.ts';
import { approverName } from './approvers.ts';
import { actorOf } from './decisions.ts';
import { formatDuration, formatTime } from './duration.ts';
import type { Output } from './output.ts';
import { bad, faint, good, type Part, strong, warn } from './text.ts';
import { visibleJson } from './visible-json.ts';

const TONES: Readonly<Record<RequestStatus, (text: string) => Part>> = {
  open: warn,
  approved: good,
  used: faint,
  rejected: bad,
  expired: faint,
};

export function statusPart(status: RequestStatus): Part {
  return TONES[status](status);
}

/** `2 operator, 1 security: ada (operator)` */
export function quorumText(home: Home, { required, given }: ApprovalRequest): string {
  const asked = required.map(({ role, threshold }) => `${threshold} ${role}`).join(', ');
  const signed = given.map(({ statement }) => {
    const verb = statement.decision === 'reject' ? 'rejected as ' : '';
    return `${approverName(home, statement.approver)} (${verb}${statement.role})`;
  });
  return signed.length === 0 ? asked : `${asked}: ${signed.join(', ')}`;
}

/** Everything an approver decides on. Never cut: what is not shown is not approved. */
export function tellRequest(
  output: Output,
  home: Home,
  request: ApprovalRequest,
  action: ShownAction,
  nowMs: number,
): void {
  const { receipt, status, expiresAtMs, requesters } = request;
  const { artifact, policy, tool, audiences, lineage } = receipt;
  const row = (label: string, ...parts: readonly Part[]) => output.line(faint(label.padEnd(12)), ...parts);
  output.line(statusPart(status), '  ', strong(tool));
  output.line();
  row('request', request.id);
  row('asked', new Date(request.atMs).toISOString(), faint(`  ${expiryText(expiresAtMs, nowMs)}`));
  row('by', actorOf(home, receipt), faint(`  ${requesters.join(', ')}`));
  if (artifact?.initiator !== undefined) {
    row('initiator', `${artifact.initiator.id} (${artifact.initiator.kind})`);
  }
  if (artifact?.attribution !== undefined) row('owner', artifact.attribution.owner);
  if (artifact?.purpose !== undefined) row('purpose', artifact.purpose);
  if (artifact?.reference !== undefined) row('reference', artifact.reference);
  row('at', audiences.at(-1) ?? '');
  if (lineage?.parent !== undefined) row('parent', lineage.parent, faint(`  depth ${lineage.depth}`));
  row('artifact', artifact?.tokenIds.join(' → ') ?? '', faint(`  ${artifact?.digest ?? ''}`));
  row('policy', policy?.id ?? '', faint(`  ${policy?.digest ?? ''}`));
  if (policy?.determining !== undefined) row('', faint('decided by '), policy.determining.join(', '));
  row('needs', quorumText(home, { ...request, given: [] }));
  for (const given of request.given) row('', ...givenParts(home, given));
  output.line();
  tellAction(output, action);
}

function tellAction(output: Output, action: ShownAction): void {
  if (action.kind === 'missing') {
    output.line(bad('arguments cannot be shown: '), action.why);
    return;
  }
  output.line(faint('arguments'));
  output.text(visibleJson(action.args));
  if (action.kind === 'redacted') {
    output.line(warn('hidden by redaction rules, and shown to nobody: '), action.hidden.join(', '));
  }
}

export function givenParts(home: Home, { statement }: GivenApproval): readonly Part[] {
  const { approver, role, decision, reason, exp } = statement;
  return [
    decision === 'approve' ? good('approved ') : bad('rejected '),
    `by ${approverName(home, approver)} as ${role}`,
    faint(decision === 'approve' ? `  until ${formatTime(exp)}` : ''),
    ...(reason === undefined ? [] : [`  ${reason}`]),
  ];
}

export function expiryText(expiresAtMs: number, nowMs: number): string {
  const left = (expiresAtMs - nowMs) / 1000;
  return left > 0 ? `expires in ${formatDuration(left)}` : 'expired';
}

export function requestJson({ receipt, given, ...request }: ApprovalRequest): object {
  const { id, log, index, status, atMs, expiresAtMs, required, requesters } = request;
  const { tool, agent, artifact, policy, audiences, approvals } = receipt;
  return {
    id,
    status,
    tool,
    askedAt: new Date(atMs).toISOString(),
    expiresAt: new Date(expiresAtMs).toISOString(),
    agent: agent ?? null,
    initiator: artifact?.initiator ?? null,
    requesters,
    audience: audiences.at(-1) ?? null,
    action: approvals?.action ?? null,
    artifact: artifact?.digest ?? null,
    policy: policy === undefined ? null : { id: policy.id, digest: policy.digest },
    required,
    given: given.map(({ statement }) => statement),
    log,
    index,
  };
}
