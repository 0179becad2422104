import type { Home } from '../governor/index.ts';
import { type Define, examples } from './command.ts';
import { IndexedDecisions } from './indexed-decisions.ts';
import type { Session } from './session.ts';
import { faint, good, warn } from './text.ts';

interface Options {
  readonly log?: string;
  readonly rebuild?: boolean;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Bring the indexes beside the logs up to date. "writ log show" does so by itself; after a long time, or for a large log that
is new here, it may be wanted beforehand. --rebuild makes them anew from the logs: nothing stands in an index alone.`,
    )
    .option('--log <name>', 'only this log (default: all of the trust domain)')
    .option('--rebuild', 'forget what is indexed, and read the logs whole')
    .addHelpText('after', examples('$ writ log index', '$ writ log index --rebuild --log fs --json'))
    .action(act(index));
};

async function index(session: Session, options: Options): Promise<void> {
  const { output } = session;
  const home: Home = await session.openHome();
  const unreadable: string[] = [];
  const source = IndexedDecisions.open(home, options.log, (log) => unreadable.push(log));
  try {
    const sizes = await source.catchUp(output, options.rebuild === true);
    const logs = [...sizes].map(([log, entries]) => ({
      log,
      entries,
      kept: source.indexes.get(log)?.kind !== 'temporary',
    }));
    output.answer({ logs, unreadable }, () => {
      for (const { log, entries, kept } of logs) {
        output.line(
          kept ? good('indexed   ') : warn('not kept  '),
          log,
          faint(`  ${entries} entries${kept ? '' : ': its folder cannot be written'}`),
        );
      }
      for (const log of unreadable) {
        output.note(warn(`log ${log} cannot be read: run "writ log verify --log ${log}"`));
      }
    });
  } finally {
    source.close();
  }
}
