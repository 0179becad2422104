import { type ReplayReport, replayLog } from '../governor/index.ts';
import type { ExitCode } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import type { Output } from './output.ts';
import { openRecorded } from './recorded.ts';
import type { Session } from './session.ts';
import { bad, faint, good, warn } from './text.ts';

interface Options {
  readonly log?: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Derive every decision of a log again, from what it recorded and sealed, and compare: all must come out the same.
Decisions whose evidence was never kept (withheld), or was erased on record, are counted apart and never guessed.
Exit code 1 where a decision differs, or evidence is gone that no governance event accounts for.`,
    )
    .option('--log <name>', 'only this log (default: all of the trust domain)')
    .addHelpText('after', examples('$ writ log replay', '$ writ log replay --log fs --json'))
    .action(act(replay));
};

async function replay(session: Session, options: Options): Promise<ExitCode> {
  const { output } = session;
  const recorded = openRecorded(await session.openHome(), options.log);
  try {
    const logs: (ReplayReport & { readonly log: string })[] = [];
    for (const [log, sources] of recorded.wanted) {
      const report = await output.during(`deriving the decisions of ${log}`, (tell) =>
        replayLog(sources, tell),
      );
      logs.push({ log, ...report });
    }
    const same = logs.every(({ differences, lost }) => differences === 0 && lost === 0);
    output.answer({ same, logs }, () => {
      for (const report of logs) tell(output, report);
    });
    return same ? 0 : 1;
  } finally {
    recorded.close();
  }
}

function tell(output: Output, report: ReplayReport & { readonly log: string }): void {
  const { log, same, differences, different, withheld, erased, lost, undetermined } = report;
  output.line(
    differences === 0 ? good('same       ') : bad('different  '),
    log,
    faint(`  ${same} decisions`),
  );
  const aside = (count: number, what: string, tone = warn) => {
    if (count > 0) output.line(tone('  – '), `${count} ${what}`);
  };
  aside(withheld, 'withheld: their evidence was not kept');
  aside(erased, 'erased: their evidence was erased, as the governance log says');
  aside(
    undetermined,
    'undetermined: they rest on evidence that is not at hand, or on what another log showed then',
  );
  aside(lost, 'lost: their evidence is gone, and no governance event says why', bad);
  for (const { index, id, difference } of different) {
    output.line(bad('  ✗ '), `entry ${index}  ${id}  `, difference);
  }
  if (differences > different.length)
    output.line(bad('  ✗ '), `… and ${differences - different.length} more`);
}
