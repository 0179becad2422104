import { isDenial } from '../denial/index.ts';
import { bundleLineage } from '../governor/index.ts';
import { denied } from './cli-error.ts';
import { collect, type Define, examples } from './command.ts';
import { lastExecution, mustFindExecution } from './receipt-show.ts';
import type { Session } from './session.ts';
import { parseWithheld, writeBundle } from './write-bundle.ts';

interface Options {
  readonly out?: string;
  readonly withhold?: readonly string[];
}

export const define: Define = (command, act) => {
  command
    .description(
      `Pack a whole lineage for offline verification: the root that an execution descends from, and every execution
under it in the logs of the domain, permitted or denied, each with its evidence.`,
    )
    .argument('<execution>', 'id of any execution of the lineage, or "last"')
    .option('--out <file>', 'where to write it (default: stdout)')
    .option(
      '--withhold <part>',
      `leave out request (the arguments), chain, policy or measurement (repeatable)`,
      collect,
    )
    .addHelpText(
      'after',
      examples(
        '$ writ lineage bundle last --out lineage.json',
        '$ writ receipt verify lineage.json --log-key .writ/execution/fs/log.vkey',
      ),
    )
    .action(act(bundle));
};

async function bundle(session: Session, id: string, options: Options): Promise<void> {
  const withhold = parseWithheld(options.withhold);
  const home = await session.openHome();
  const asked = id === 'last' ? lastExecution(home) : id;
  const { record, reader } = mustFindExecution(home, asked);
  reader.close();
  const lineage = record.decision.lineage?.root ?? asked;
  const packed = await session.output.during('packing', () => bundleLineage(home, asked, { withhold }));
  if (isDenial(packed)) throw denied(packed, 'run "writ log verify"');
  const root = mustFindExecution(home, lineage);
  root.reader.close();
  writeBundle(session, home, packed, { ...options, withhold, log: root.log, named: { lineage } });
}
