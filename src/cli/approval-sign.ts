import { isDenial } from '../denial/index.ts';
import {
  type ApprovalStatement,
  BREAK_GLASS,
  GOVERNANCE_EVENT,
  type GovernanceState,
  isReasonText,
  MAX_APPROVAL_SECONDS,
  MAX_BREAK_GLASS_SECONDS,
  type StatementSignature,
  serializeGovernanceEvent,
  statementBytes,
} from '../governance/index.ts';
import {
  type ApprovalRequest,
  type Home,
  recordApproval,
  rolesFor,
  type ShownAction,
  statementFor,
} from '../governor/index.ts';
import { withRequests } from './approval-source.ts';
import { tellRequest } from './approval-text.ts';
import { approverName, approverOfKey, approverSubject } from './approvers.ts';
import { denied, failure, usageError } from './cli-error.ts';
import { formatTime, parseDuration } from './duration.ts';
import { orUsage, readJsonFile } from './input-file.ts';
import type { Session } from './session.ts';
import { publicHalfOf, readSshSignature, signWithSsh } from './ssh-sign.ts';
import { faint, good } from './text.ts';
import { writeOut } from './written-file.ts';

export interface SignOptions {
  readonly key?: string;
  readonly approver?: string;
  readonly as?: string;
  readonly reason?: string;
  readonly for?: string;
  readonly breakGlass?: boolean;
  readonly acceptHidden?: boolean;
  readonly yes?: boolean;
  readonly out?: string;
  readonly statement?: string;
  readonly signature?: string;
}

const MAX_STATEMENT_BYTES = 16_384;

/** Signs a decision about a request, or takes one that was signed elsewhere, and records it. */
export async function signOff(
  session: Session,
  id: string,
  decision: ApprovalStatement['decision'],
  options: SignOptions,
): Promise<void> {
  const { output, surroundings, nowSeconds } = session;
  if (options.reason !== undefined && !isReasonText(options.reason)) {
    throw usageError('--reason is malformed', 'one line of at most 1024 printable characters');
  }
  if (options.breakGlass === true && options.reason === undefined) {
    throw usageError(
      'why is the glass broken?',
      'give --reason: it is recorded, and somebody else reviews it',
    );
  }
  if ((options.statement === undefined) !== (options.signature === undefined)) {
    throw usageError('--statement and --signature go together');
  }
  const home = await session.openHome();
  const nowMs = surroundings.clockMs();
  await withRequests(home, async (requests, state) => {
    const request = requests.find(id, state, nowMs);
    if (isDenial(request)) throw denied(request, 'list them with "writ approval list"');
    const action = requests.show(request);
    if (decision === 'approve') checkVisible(action, options);
    const statement =
      options.statement === undefined
        ? makeStatement(session, home, state, request, decision, options)
        : readStatement(session, request, decision, options.statement);
    if (options.out !== undefined) return hand(session, statement, options.out);
    await confirmed(session, home, request, action, statement, options);
    const signature = await signatureFor(session, statement, options);
    const by = { actor: session.actor(home), atSeconds: nowSeconds };
    const refused = await recordApproval(home, statement, signature, by);
    if (refused !== undefined) throw denied(refused);
    output.answer({ request: id, recorded: true, statement }, () => {
      const name = approverName(home, statement.approver);
      const verb = decision === 'approve' ? 'approved ' : 'rejected ';
      output.line(good(verb), request.receipt.tool, faint(`  by ${name} as ${statement.role}`));
      if (decision === 'approve') {
        output.line(faint(`once, until ${formatTime(statement.exp)}, if nobody else is needed`));
      }
    });
  });
}

/** Nobody consents to what nobody can see, unless they say that they do. */
function checkVisible(action: ShownAction, { acceptHidden }: SignOptions): void {
  if (action.kind === 'missing') {
    throw failure('approval.unseen', `what is asked cannot be shown: ${action.why}`, 'it can be denied');
  }
  if (action.kind === 'redacted' && acceptHidden !== true) {
    throw failure(
      'approval.unseen',
      `part of what is asked is hidden by redaction rules: ${action.hidden.join(', ')}`,
      'to approve it unseen, add --accept-hidden',
    );
  }
}

function makeStatement(
  session: Session,
  home: Home,
  state: GovernanceState,
  request: ApprovalRequest,
  decision: ApprovalStatement['decision'],
  options: SignOptions,
): ApprovalStatement {
  const { key, reason } = options;
  if (key === undefined && options.approver === undefined) {
    throw usageError('who signs?', 'give --key FILE (a private key, or the .pub of one in your agent)');
  }
  const approver =
    options.approver === undefined
      ? approverOfKey(state, publicHalfOf(session.surroundings.cwd, key ?? '')).subject
      : approverSubject(home, options.approver);
  const role = roleOf(home, state, request, approver, options);
  const seconds = options.for === undefined ? undefined : parseDuration(options.for, '--for');
  const longest = role === BREAK_GLASS ? MAX_BREAK_GLASS_SECONDS : MAX_APPROVAL_SECONDS;
  if (seconds !== undefined && seconds > longest) throw usageError(`--for is ${longest / 60}m at most`);
  const statement = statementFor(
    home,
    request,
    {
      ...{ approver, role, decision },
      ...(reason === undefined ? {} : { reason }),
      ...(seconds === undefined ? {} : { seconds }),
    },
    session.nowSeconds,
  );
  if (isDenial(statement)) throw denied(statement);
  return statement;
}

function roleOf(
  home: Home,
  state: GovernanceState,
  request: ApprovalRequest,
  approver: string,
  { as, breakGlass }: SignOptions,
): string {
  if (breakGlass === true) return BREAK_GLASS;
  if (as !== undefined) return as;
  const roles = rolesFor(state, request, approver);
  const [only, ...others] = roles;
  const name = approverName(home, approver);
  if (only === undefined) {
    const asked = request.required.map(({ role }) => role).join(', ');
    throw failure(
      'approval.role',
      `${name} has no role that is asked for: ${asked}`,
      'to deny it in another role, give --as',
    );
  }
  if (others.length > 0)
    throw usageError(`as what? ${name} is enrolled as ${roles.join(', ')}`, 'give --as ROLE');
  return only;
}

/** A statement that was handed out with --out. It may say nothing else than what is signed off here. */
function readStatement(
  { surroundings, nowSeconds }: Session,
  request: ApprovalRequest,
  decision: ApprovalStatement['decision'],
  file: string,
): ApprovalStatement {
  const json = orUsage(readJsonFile(surroundings.cwd, file, { maxBytes: MAX_STATEMENT_BYTES, maxDepth: 2 }));
  const statement = json as unknown as ApprovalStatement;
  try {
    const signature = { kind: 'ssh', signature: 'AA' } as const;
    const event = {
      type: GOVERNANCE_EVENT,
      event: 'approval.given',
      at: nowSeconds,
      actor: 'reading',
    } as const;
    serializeGovernanceEvent({ ...event, statement, signature });
  } catch {
    throw usageError(`${file} is no statement of an approval`);
  }
  if (statement.actionDigest !== request.receipt.approvals?.action || statement.decision !== decision) {
    throw usageError(`${file} is about another request, or says otherwise`);
  }
  return statement;
}

function hand({ output, surroundings }: Session, statement: ApprovalStatement, out: string): void {
  const file = writeOut(surroundings.cwd, out, [Buffer.from(statementBytes(statement)).toString('utf8')]);
  const sign = `ssh-keygen -Y sign -n writ-approval@v1 -f KEY ${out}`;
  output.answer({ file, statement, sign }, () => {
    output.line('statement  ', file);
    output.line(faint('sign it    '), sign);
    output.line(faint('record it  '), `the same command with --statement ${out} --signature ${out}.sig`);
  });
}

async function signatureFor(
  session: Session,
  statement: ApprovalStatement,
  { signature, key }: SignOptions,
): Promise<StatementSignature> {
  if (signature !== undefined) return readSshSignature(session.surroundings.cwd, signature);
  if (key === undefined) throw usageError('what signs?', 'give --key FILE, or --out FILE to sign elsewhere');
  return signWithSsh(session, key, statementBytes(statement));
}

/** On a terminal it is shown what is signed, and asked; elsewhere the command line is the answer. */
async function confirmed(
  session: Session,
  home: Home,
  request: ApprovalRequest,
  action: ShownAction,
  statement: ApprovalStatement,
  { yes, signature }: SignOptions,
): Promise<void> {
  const { output, surroundings } = session;
  const { stdin, stderr, clockMs } = surroundings;
  if (output.json || yes === true || signature !== undefined) return;
  if (stdin.isTTY !== true || stderr.isTTY !== true) return;
  tellRequest(output, home, request, action, clockMs());
  const { confirm, isCancel } = await import('@clack/prompts');
  const verb = statement.decision === 'approve' ? 'Approve' : 'Reject';
  const answer = await confirm({
    message: `${verb} this, as ${statement.role}?`,
    output: stderr,
    initialValue: false,
  });
  if (isCancel(answer) || !answer) throw usageError('cancelled: nothing was signed');
}
