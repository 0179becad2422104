import { isDenial } from '../denial/index.ts';
import {
  parentFactOf,
  type ReplayReport,
  readEvidenceKey,
  readExecution,
  replayLog,
} from '../governor/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../storage/index.ts';
import { denied, type ExitCode } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { closeLogs, openLogs } from './decisions.ts';
import type { Session } from './session.ts';
import { bad, faint, good, warn } from './text.ts';

interface Options {
  readonly log?: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Derive every decision of a log again, from what it recorded and sealed, and compare: all must come out the same.
Decisions whose evidence was erased are counted as withheld, never guessed.`,
    )
    .option('--log <name>', 'only this log (default: all of the trust domain)')
    .addHelpText('after', examples('$ writ log replay', '$ writ log replay --log fs --json'))
    .action(act(replay));
};

async function replay(session: Session, options: Options): Promise<ExitCode> {
  const { output } = session;
  const home = await session.openHome();
  const key = readEvidenceKey(home.evidenceKeyFile);
  if (isDenial(key)) throw denied(key, 'run "writ doctor"');
  const all = openLogs(home, undefined);
  const wanted = openLogs(home, options.log);
  const governance = openSqliteLogReader(home.governanceFolder);
  try {
    const logs: (ReplayReport & { readonly log: string })[] = [];
    for (const [log, reader] of wanted) {
      const report = await output.during(`deriving the decisions of ${log}`, async () =>
        replayLog({
          log: reader,
          governance,
          readEvidence: (address) => reader.readEvidence(address, key),
          evidenceKey: key,
          findElsewhere: (id, atMs, state) => findAmong(all, log, id, atMs, state),
        }),
      );
      logs.push({ log, ...report });
    }
    const same = logs.every(({ different }) => different.length === 0);
    output.answer({ same, logs }, () => {
      for (const { log, same: count, different, withheld } of logs) {
        output.line(
          different.length === 0 ? good('same       ') : bad('different  '),
          log,
          faint(`  ${count} decisions`),
        );
        if (withheld > 0) output.line(warn('  – '), `${withheld} withheld: their evidence is not at hand`);
        for (const { index, id, difference } of different) {
          output.line(bad('  ✗ '), `entry ${index}  ${id}  `, difference);
        }
      }
    });
    return same ? 0 : 1;
  } finally {
    closeLogs(all);
    closeLogs(wanted);
    governance.close();
  }
}

/** A parent in another log of the domain, as it stood at a time. */
function findAmong(
  readers: ReadonlyMap<string, SqliteLogReader>,
  own: string,
  executionId: string,
  atMs: number,
  governance: Parameters<typeof parentFactOf>[2],
): ReturnType<typeof parentFactOf> {
  for (const [log, reader] of readers) {
    if (log === own) continue;
    const record = readExecution(reader, executionId);
    const fact = record === undefined ? undefined : parentFactOf(reader, executionId, governance);
    if (record === undefined || fact === undefined || record.decision.atMs > atMs) continue;
    const ended = record.outcome !== undefined && record.outcome.atMs <= atMs;
    return { ...fact, terminated: fact.terminated && ended };
  }
  return undefined;
}
