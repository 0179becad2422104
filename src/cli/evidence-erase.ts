import { isDenial } from '../denial/index.ts';
import {
  type ErasurePlan,
  type ErasureSelection,
  eraseEvidence,
  findExecution,
  type Home,
  listExecutionLogs,
} from '../governor/index.ts';
import { agentSubject } from './agents.ts';
import { denied, type ExitCode, failure, usageError } from './cli-error.ts';
import { collect, type Define, examples } from './command.ts';
import { formatTime, parseMoment } from './duration.ts';
import type { Session } from './session.ts';
import { faint, good, warn } from './text.ts';

interface Options {
  readonly execution?: readonly string[];
  readonly subject?: string;
  readonly before?: string;
  readonly log?: string;
  readonly reason: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

interface Result {
  readonly log: string;
  readonly selected: number;
  readonly shared: number;
  readonly requests: number;
  readonly erased: number;
}

const MAX_EXECUTIONS = 1000;

export const define: Define = (command, act) => {
  command
    .description(
      `Forget what was asked, for good: destroys the sealed requests (arguments and proofs) of executions, keys and content.
The governance log says so first, with the reason. Receipts stay, and the logs verify as before; "writ log replay" then
counts those decisions as erased. What one call does not own stays: artifact chains, policies, measurements. Where a request
was presented again, its other receipts lose it, too. Copies and backups of the home are beyond reach. Stop the gateways
whose logs are concerned before.`,
    )
    .option('--execution <id>', 'this execution (may be repeated)', collect)
    .option('--subject <agent|uri>', 'what this agent asked for, or initiated')
    .option('--before <moment>', 'what was decided before: 2026-11-01, 2026-11-01T08:30Z, or 90d')
    .option('--log <name>', 'only in this log (default: all of the trust domain)')
    .requiredOption('--reason <text>', 'why, for the record; no content: it stays for ever')
    .option('--dry-run', 'only say what would be erased')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      examples(
        '$ writ evidence erase --execution 019ac1de-… --reason "erasure request 17"',
        '$ writ evidence erase --subject builder --before 90d --reason "retention" --yes',
      ),
    )
    .action(act(erase));
};

async function erase(session: Session, options: Options): Promise<ExitCode> {
  const { output, nowSeconds } = session;
  if (!/^[^\p{C}\p{Zl}\p{Zp}]{1,1024}$/u.test(options.reason)) {
    throw usageError('--reason is malformed', 'one line of at most 1024 printable characters');
  }
  const home = await session.openHome();
  const selection = selectionOf(session, home, options);
  const results: Result[] = [];
  let walRemains = false;
  for (const log of logsOf(home, options)) {
    const confirm = (plan: ErasurePlan) => mayErase(session, log, plan, options);
    const done = await output.during(`erasing evidence of ${log}`, (tell) =>
      eraseEvidence(home, {
        ...{ log, selection, reason: options.reason, confirm, onProgress: tell },
        ...{ actor: session.actor(home), atSeconds: nowSeconds },
      }),
    );
    if (isDenial(done)) throw denied(done, `stop the gateway "${log}", or leave its log out with --log`);
    const { selected, shared, addresses } = done.plan;
    results.push({ log, selected, shared, requests: addresses.size, erased: done.erased });
    walRemains ||= done.walRemains;
  }
  if (results.every(({ selected }) => selected === 0)) throw failure('not_found', 'no decision matches');
  const dryRun = options.dryRun === true;
  output.answer({ dryRun, logs: results, walRemains }, () => {
    for (const { log, selected, shared, requests, erased } of results) {
      const aside = shared > 0 ? `, and ${shared} other receipts name them` : '';
      output.line(
        dryRun ? warn('would erase ') : good('erased '),
        `${dryRun ? requests : erased} requests`,
        faint(`  ${log}: ${selected} decisions selected${aside}`),
      );
    }
  });
  if (walRemains) {
    output.note(
      warn('another program is reading the log: '),
      'old pages remain in its write-ahead log until it ends; then run this again',
    );
  }
  return 0;
}

function selectionOf(
  session: Session,
  home: Home,
  { execution, subject, before }: Options,
): ErasureSelection {
  if (execution === undefined && subject === undefined && before === undefined) {
    throw usageError(
      'what is erased?',
      'give --execution, --subject or --before; what is given holds together',
    );
  }
  if ((execution?.length ?? 0) > MAX_EXECUTIONS)
    throw usageError(`at most ${MAX_EXECUTIONS} executions at a time`);
  return {
    ...(execution === undefined ? {} : { executions: new Set(execution) }),
    ...(subject === undefined ? {} : { subject: agentSubject(home, subject) }),
    ...(before === undefined
      ? {}
      : { beforeMs: parseMoment(before, '--before', session.surroundings.clockMs()) }),
  };
}

/** The logs to look in: the one named, the ones that hold the executions named, or all. */
function logsOf(home: Home, { log, execution }: Options): readonly string[] {
  const logs = listExecutionLogs(home);
  if (log !== undefined) {
    if (!logs.includes(log))
      throw failure('not_found', `there is no log ${log}`, `there are: ${logs.join(', ')}`);
    return [log];
  }
  if (execution === undefined) return logs;
  const found = new Set<string>();
  for (const id of execution) {
    const known = findExecution(home, id);
    if (known === undefined) throw failure('not_found', `no log knows execution ${id}`);
    known.reader.close();
    found.add(known.log);
  }
  return [...found].sort();
}

async function mayErase(
  session: Session,
  log: string,
  plan: ErasurePlan,
  options: Options,
): Promise<boolean> {
  if (options.dryRun === true) return false;
  if (options.yes === true) return true;
  const { stdin, stderr, clockMs } = session.surroundings;
  if (stdin.isTTY !== true || stderr.isTTY !== true) {
    throw usageError(
      'there is no terminal to ask for confirmation',
      'give --yes, or look first with --dry-run',
    );
  }
  const { confirm, isCancel } = await import('@clack/prompts');
  const message = `Erase ${plan.addresses.size} requests of ${log} for ever (${plan.selected} decisions until ${formatTime(clockMs() / 1000)})?`;
  const answer = await confirm({ message, output: stderr, initialValue: false });
  if (isCancel(answer) || !answer) throw usageError('cancelled: nothing was erased');
  return true;
}
