import { setTimeout as sleep } from 'node:timers/promises';
import { isDenial } from '../denial/index.ts';
import { REQUEST_SECONDS } from '../governance/index.ts';
import type { ApprovalRequest, Home } from '../governor/index.ts';
import { withRequests } from './approval-source.ts';
import { expiryText, quorumText, requestJson, statusPart } from './approval-text.ts';
import { denied } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { actorOf } from './decisions.ts';
import { parseDuration } from './duration.ts';
import type { Session } from './session.ts';
import { faint, strong } from './text.ts';
import { withSignals } from './with-signals.ts';

interface Options {
  readonly for?: string;
}

const LOOK_MS = 1000;

export const define: Define = (command, act) => {
  command
    .description(
      `Tell of each request as it comes and whenever something about it changes: approved, rejected, used, expired. With --json one
document a line. Runs until it is interrupted.`,
    )
    .option('--for <duration>', 'stop after so long')
    .addHelpText(
      'after',
      examples('$ writ approval watch', '$ writ approval watch --json | while read -r r; do …; done'),
    )
    .action(act(watch));
};

async function watch(session: Session, options: Options): Promise<void> {
  const { clockMs } = session.surroundings;
  const home = await session.openHome();
  const seconds = options.for === undefined ? undefined : parseDuration(options.for, '--for');
  const endMs = seconds === undefined ? Number.POSITIVE_INFINITY : clockMs() + seconds * 1000;
  await withSignals(async (signal) => {
    /** What was last told of each action. */
    const told = new Map<string, string>();
    while (!signal.aborted && clockMs() < endMs) {
      await look(session, home, told);
      await sleep(Math.min(LOOK_MS, Math.max(0, endMs - clockMs())), undefined, { signal }).catch(
        () => undefined,
      );
    }
  });
}

async function look({ surroundings, output }: Session, home: Home, told: Map<string, string>): Promise<void> {
  const nowMs = surroundings.clockMs();
  // A little longer than a request lives, so that its end is told, too.
  const sinceMs = nowMs - REQUEST_SECONDS * 1000 - 10 * LOOK_MS;
  const found = await withRequests(home, (requests, state) => requests.list(state, { nowMs, sinceMs }));
  if (isDenial(found)) throw denied(found);
  const current = new Set<string>();
  for (const request of found) {
    const action = request.receipt.approvals?.action ?? request.id;
    current.add(action);
    const state = `${request.id} ${request.status} ${request.given.length}`;
    if (told.get(action) === state) continue;
    // What was over before anybody watched is no news.
    const isNews = told.has(action) || request.status === 'open' || request.status === 'approved';
    told.set(action, state);
    if (isNews) output.answer(requestJson(request), () => output.line(...lineOf(home, request, nowMs)));
  }
  for (const action of told.keys()) if (!current.has(action)) told.delete(action);
}

function lineOf(home: Home, request: ApprovalRequest, nowMs: number) {
  return [
    statusPart(request.status),
    '  ',
    strong(request.receipt.tool),
    `  by ${actorOf(home, request.receipt)}, needs ${quorumText(home, request)}`,
    faint(`  ${expiryText(request.expiresAtMs, nowMs)}  ${request.id}`),
  ];
}
