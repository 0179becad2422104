import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type ChangeGroup, type SimulationReport, simulatePolicy } from '../governor/index.ts';
import { BUNDLE_LIMITS, type PolicyBundle, parsePolicyBundle, preparePolicy } from '../policy/index.ts';
import { type ExitCode, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { parseMoment } from './duration.ts';
import { readGovernance } from './governance.ts';
import { orUsage, readInputFile } from './input-file.ts';
import type { Output } from './output.ts';
import { tellProblems } from './policy-check.ts';
import { bundleOfFolder, isBundle } from './policy-folder.ts';
import { openRecorded } from './recorded.ts';
import type { Session } from './session.ts';
import { bad, faint, good, type Part, warn } from './text.ts';

interface Options {
  readonly since?: string;
  readonly until?: string;
  readonly log?: string;
  readonly id?: string;
}

type LogReport = SimulationReport & { readonly log: string };

const MAX_SHOWN = 50;

export const define: Define = (command, act) => {
  command
    .description(
      `What would another policy have changed? Decides the recorded decisions again, each on what it was decided on, with this
policy in place of the one that was active; lists what it newly denies, newly permits, and can no longer evaluate, by agent
and tool. Changes nothing, and exits with 0 whatever it finds.

What is denied by a stage before policy stays denied. What is newly permitted passes every stage that can be derived; whether
the log would have taken it (its proof fresh, its counters in range) nobody tried. Its consequences are not played out; only
the children of newly denied executions are denied with them.`,
    )
    .argument('<folder|bundle>', 'a policy folder, or a bundle file')
    .option('--since <moment>', 'decisions from then on: 2026-11-01, 2026-11-01T08:30Z, or 7d')
    .option('--until <moment>', 'decisions before then')
    .option('--log <name>', 'only this log (default: all of the trust domain)')
    .option('--id <id>', 'name the folder would be published under (default: the active one)')
    .addHelpText(
      'after',
      examples(
        '$ writ policy simulate ./policies --since 7d',
        '$ writ policy simulate new.json --log fs --json',
      ),
    )
    .action(act(simulate));
};

async function simulate(session: Session, name: string, options: Options): Promise<ExitCode> {
  const { output, surroundings } = session;
  const home = await session.openHome();
  const nowMs = surroundings.clockMs();
  const { since, until } = options;
  const sinceMs = since === undefined ? undefined : parseMoment(since, '--since', nowMs);
  const untilMs = until === undefined ? undefined : parseMoment(until, '--until', nowMs);
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs >= untilMs) {
    throw usageError('--since is not before --until');
  }
  const id = options.id ?? readGovernance(home).state.policy?.id ?? home.domain;
  const bundle = isFolder(surroundings.cwd, name)
    ? bundleOfFolder(surroundings.cwd, name, id)
    : readBundle(surroundings.cwd, name);
  if (!isBundle(bundle)) return tellProblems(output, bundle);
  const policy = preparePolicy(bundle);
  const recorded = openRecorded(home, options.log);
  try {
    const logs: LogReport[] = [];
    for (const [log, sources] of recorded.wanted) {
      const report = await output.during(`deciding ${log} again`, (onProgress) =>
        simulatePolicy(sources, {
          ...{ policy, onProgress },
          ...(sinceMs === undefined ? {} : { sinceMs }),
          ...(untilMs === undefined ? {} : { untilMs }),
        }),
      );
      logs.push({ log, ...report });
    }
    output.answer({ policy: { id: bundle.id, digest: bundle.digest }, logs }, () => {
      if (logs.length === 0)
        output.note('no decision has been recorded yet: there is nothing to decide again');
      for (const report of logs) tell(output, report);
    });
    return 0;
  } finally {
    recorded.close();
  }
}

function isFolder(cwd: string, name: string): boolean {
  return statSync(resolve(cwd, name), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function readBundle(cwd: string, name: string): PolicyBundle {
  const bytes = orUsage(readInputFile(cwd, name, BUNDLE_LIMITS.maxBytes * 2));
  return orUsage(
    parsePolicyBundle(bytes),
    'give a policy folder, or a bundle as the domain keeps it in policies/',
  );
}

function tell(output: Output, report: LogReport): void {
  const { log, decisions, stillPermitted, stillDenied, deniedBeforePolicy, groups, ungrouped } = report;
  const { newlyDenied, newlyPermitted, notEvaluable } = report;
  output.line(log, faint(`  ${decisions} decisions`));
  output.line(bad('  newly denied     '), `${newlyDenied}`);
  output.line(good('  newly permitted  '), `${newlyPermitted}`);
  output.line(warn('  not evaluable    '), `${notEvaluable}`);
  output.line(
    faint(`  unchanged        ${stillPermitted} permitted, ${stillDenied} denied`),
    faint(` (${deniedBeforePolicy} by a stage before policy)`),
  );
  if (groups.length === 0) return;
  output.line();
  output.table(
    ['CHANGE', 'COUNT', 'AGENT', 'TOOL', 'THEN', 'NOW', 'RECEIPTS'],
    groups.slice(0, MAX_SHOWN).map(rowOf),
  );
  const more = groups.slice(MAX_SHOWN).reduce((sum, { count }) => sum + count, ungrouped);
  if (more > 0) output.line(faint(`… and ${more} more; --json lists up to 1000 groups`));
}

const CHANGES = {
  newlyDenied: bad('denied'),
  newlyPermitted: good('permitted'),
  notEvaluable: warn('not evaluable'),
};

function rowOf({
  change,
  count,
  agent,
  tool,
  recorded,
  now,
  detail,
  receipts,
}: ChangeGroup): readonly Part[] {
  const [first = '', ...others] = receipts;
  return [
    ...[CHANGES[change], String(count), agent === '' ? '–' : agent, tool === '' ? '–' : tool, recorded],
    detail === '' ? now : `${now}: ${detail}`,
    others.length === 0 ? first : `${first} …`,
  ];
}
