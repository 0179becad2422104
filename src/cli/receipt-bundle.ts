import { isDenial } from '../denial/index.ts';
import { bundleExecution } from '../governor/index.ts';
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
      `Pack everything an outsider needs to verify one execution offline: receipts with their proofs, its ancestors up to
the root, the evidence and the governance log the decision stood on. What is withheld shows as withheld, never as wrong.`,
    )
    .argument('<execution>', 'execution id, as "writ log show" lists it, or "last"')
    .option('--out <file>', 'where to write it (default: stdout)')
    .option(
      '--withhold <part>',
      `leave out request (the arguments), chain, policy or measurement (repeatable)`,
      collect,
    )
    .addHelpText(
      'after',
      examples(
        '$ writ receipt bundle last --out bundle.json',
        '$ writ receipt verify bundle.json --log-key .writ/execution/fs/log.vkey',
      ),
    )
    .action(act(bundle));
};

async function bundle(session: Session, id: string, options: Options): Promise<void> {
  const withhold = parseWithheld(options.withhold);
  const home = await session.openHome();
  const execution = id === 'last' ? lastExecution(home) : id;
  const found = mustFindExecution(home, execution);
  found.reader.close();
  const packed = await session.output.during('packing', () => bundleExecution(home, execution, { withhold }));
  if (isDenial(packed)) throw denied(packed, `run "writ log verify --log ${found.log}"`);
  writeBundle(session, home, packed, { ...options, withhold, log: found.log, named: { execution } });
}
