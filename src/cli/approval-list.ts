import { isDenial } from '../denial/index.ts';
import { REQUEST_SECONDS } from '../governance/index.ts';
import type { Home } from '../governor/index.ts';
import { withRequests } from './approval-source.ts';
import { expiryText, quorumText, requestJson, statusPart } from './approval-text.ts';
import { approverName } from './approvers.ts';
import { denied, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { actorOf } from './decisions.ts';
import { formatTime, parseMoment, parseWholeNumber } from './duration.ts';
import { readGovernance } from './governance.ts';
import type { Session } from './session.ts';
import { faint, type Part } from './text.ts';

interface Options {
  readonly all?: boolean;
  readonly since?: string;
  readonly limit?: string;
  readonly after?: string;
  readonly review?: boolean;
  readonly approvers?: boolean;
}

const MAX_PAGE = 1000;
const REQUEST_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const HEAD = ['STATUS', 'TOOL', 'BY', 'NEEDS', 'EXPIRES', 'REQUEST'];

export const define: Define = (command, act) => {
  command
    .description(
      `List what waits for approval. A request is the denial that made it, and its id the execution's; an action that was asked
for again is listed once. Newest first. With --review: approvals that broke the glass and that nobody else has looked at yet.`,
    )
    .option('--all', 'also what was decided, used or has expired')
    .option('--since <when>', 'asked from then on: 2026-11-01, or 7d for so long ago; with --all')
    .option('--limit <n>', 'a page of so many (1000 at most, and by default)')
    .option('--after <request>', 'the page after the one that ended with this request: its "next"')
    .option('--review', 'break-glass approvals that wait for a review')
    .option('--approvers', 'who may approve, and as what')
    .addHelpText(
      'after',
      examples(
        '$ writ approval list',
        '$ writ approval list --all --since 1d --limit 100 --json',
        '$ writ approval list --limit 100 --after 01a21cdb-9536-70e0-be6c-780d2924fc29',
      ),
    )
    .action(act(list));
};

async function list(session: Session, options: Options): Promise<void> {
  const { output, surroundings } = session;
  const home = await session.openHome();
  if (options.review === true && options.approvers === true) {
    throw usageError('give one of --review and --approvers');
  }
  if (options.review === true) return listReviews(session, home);
  if (options.approvers === true) return listApprovers(session, home);
  const nowMs = surroundings.clockMs();
  const sinceMs =
    options.since === undefined
      ? nowMs - REQUEST_SECONDS * 1000
      : parseMoment(options.since, '--since', nowMs);
  const { after } = options;
  if (after !== undefined && !REQUEST_ID.test(after))
    throw usageError(`--after "${after}" is no request`, 'give "next" of the page before');
  const limit = options.limit === undefined ? MAX_PAGE : parseWholeNumber(options.limit, '--limit', 1);
  if (limit > MAX_PAGE) throw usageError(`--limit ${limit} is more than ${MAX_PAGE}`);
  const query = {
    ...{ nowMs, sinceMs, limit },
    ...(after === undefined ? {} : { after }),
    ...(options.all === true ? {} : { status: 'open' as const }),
  };
  const page = await withRequests(home, (requests, state) => requests.page(state, query));
  if (isDenial(page)) throw denied(page);
  const { requests: shown, next } = page;
  output.answer({ requests: shown.map(requestJson), next }, () => {
    if (shown.length === 0) output.note('nothing waits for approval');
    else {
      output.table(
        HEAD,
        shown.map((request): readonly Part[] => [
          statusPart(request.status),
          request.receipt.tool,
          actorOf(home, request.receipt),
          quorumText(home, request),
          faint(expiryText(request.expiresAtMs, nowMs)),
          request.id,
        ]),
      );
      if (next !== null) output.note(faint('more: '), `the same with --after ${next}`);
    }
  });
}

function listReviews({ output }: Session, home: Home): void {
  const { state } = readGovernance(home);
  const waiting = state.approvals.unreviewed;
  output.answer({ reviews: waiting.map(({ statement }) => statement) }, () => {
    if (waiting.length === 0) output.note('no break-glass approval waits for a review');
    else
      output.table(
        ['GIVEN', 'BY', 'REASON', 'REQUEST', 'NONCE'],
        waiting.map(({ statement, atSeconds }) => [
          faint(formatTime(atSeconds)),
          approverName(home, statement.approver),
          statement.reason ?? '',
          statement.request,
          statement.nonce,
        ]),
      );
  });
}

function listApprovers({ output }: Session, home: Home): void {
  const { state } = readGovernance(home);
  const rows = state.approvals.approvers.flatMap(({ subject, keys }) =>
    keys.map(({ key, roles }) => ({ subject, roles, kind: key.kind, thumbprint: key.thumbprint })),
  );
  output.answer({ approvers: rows }, () => {
    if (rows.length === 0) output.note('nobody is enrolled: run "writ approval enroll"');
    else
      output.table(
        ['APPROVER', 'ROLES', 'KEY', 'THUMBPRINT'],
        rows.map(({ subject, roles, kind, thumbprint }) => [
          approverName(home, subject),
          roles.join(', '),
          kind,
          faint(thumbprint),
        ]),
      );
  });
}
