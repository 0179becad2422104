import { type CountedFacet, countReceipts } from '../receipt/index.ts';
import { usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { parseMoment, parseWholeNumber } from './duration.ts';
import { IndexedDecisions } from './indexed-decisions.ts';
import type { Session } from './session.ts';
import { bad, faint, good, warn } from './text.ts';

interface Options {
  readonly by: string;
  readonly log?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
}

const FACETS: readonly CountedFacet[] = ['agent', 'tool', 'code'];

export const define: Define = (command, act) => {
  command
    .description(
      'Count decisions per agent, tool or code, permits and denials apart, the most frequent first.',
    )
    .option('--by <what>', 'agent, tool or code', 'code')
    .option('--log <name>', 'only this log (default: all of the trust domain)')
    .option('--since <when>', 'from then on: 2026-11-01, 2026-11-01T08:30Z, or 7d for so long ago')
    .option('--until <when>', 'before then')
    .option('--limit <n>', 'how many of the most frequent', '50')
    .addHelpText('after', examples('$ writ log count', '$ writ log count --by tool --since 24h --json'))
    .action(act(count));
};

async function count(session: Session, options: Options): Promise<void> {
  const { output } = session;
  const by = FACETS.find((facet) => facet === options.by);
  if (by === undefined) throw usageError('--by is agent, tool or code');
  const nowMs = session.surroundings.clockMs();
  const { since, until } = options;
  const question = {
    by,
    limit: parseWholeNumber(options.limit, '--limit', 1),
    ...(since === undefined ? {} : { sinceMs: parseMoment(since, '--since', nowMs) }),
    ...(until === undefined ? {} : { untilMs: parseMoment(until, '--until', nowMs) }),
  };
  const home = await session.openHome();
  const source = IndexedDecisions.open(home, options.log, (log) =>
    output.note(warn(`log ${log} cannot be read: run "writ log verify --log ${log}"`)),
  );
  try {
    await source.catchUp(output);
    const counts = await countReceipts(source.indexes, question);
    const none = by === 'code' ? 'permit' : 'unknown';
    output.answer(
      { by, counts: counts.map(({ value, ...sums }) => ({ [by]: value || null, ...sums })) },
      () => {
        if (counts.length === 0) output.note('no decision has been recorded then');
        output.table(
          ['PERMITS', 'DENIALS', by.toUpperCase()],
          counts.map(({ value, permits, denials }) => [
            permits === 0 ? faint('0') : good(String(permits)),
            denials === 0 ? faint('0') : bad(String(denials)),
            value === '' ? faint(none) : value,
          ]),
        );
      },
    );
  } finally {
    source.close();
  }
}
