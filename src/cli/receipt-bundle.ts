import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { bundleExecution } from '../governor/index.ts';
import type { EvidenceKind } from '../receipt/index.ts';
import { denied, failure, usageError } from './cli-error.ts';
import { shellLine } from './client-config.ts';
import { collect, type Define, examples } from './command.ts';
import { lastExecution, mustFindExecution } from './receipt-show.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';

interface Options {
  readonly out?: string;
  readonly withhold?: readonly string[];
}

const KINDS: readonly EvidenceKind[] = ['request', 'chain', 'policy', 'measurement'];

export const define: Define = (command, act) => {
  command
    .description(
      `Pack everything an outsider needs to verify one execution offline: receipts with their proofs, and the evidence
the decision stood on. What is withheld shows as withheld, never as wrong.`,
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
  const { output, surroundings } = session;
  const withhold = new Set((options.withhold ?? []).map(kindOf));
  const home = await session.openHome();
  const execution = id === 'last' ? lastExecution(home) : id;
  const found = mustFindExecution(home, execution);
  found.reader.close();
  const packed = await output.during('packing', () => bundleExecution(home, execution, { withhold }));
  if (isDenial(packed)) throw denied(packed, `run "writ log verify --log ${found.log}"`);
  const text = `${JSON.stringify(packed, undefined, 1)}\n`;
  if (options.out === undefined) {
    output.text(text);
    return;
  }
  const file = resolve(surroundings.cwd, options.out);
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw failure('file.unwritable', `${options.out} cannot be written: ${code}`, 'choose another --out');
  }
  const logKey = join(home.executionLogFolder(found.log), 'log.vkey');
  const answer = { file, execution, log: found.log, logKey, withheld: [...withhold] };
  output.answer(answer, () => {
    output.line(good('packed '), execution, faint(`  ${file}`));
    if (!withhold.has('request')) output.line(faint('it holds the arguments of the call in clear'));
    output.line(
      faint('verify  '),
      shellLine(['writ', 'receipt', 'verify', options.out ?? file, '--log-key', logKey]),
    );
  });
}

function kindOf(text: string): EvidenceKind {
  const kind = KINDS.find((known) => known === text);
  if (kind === undefined)
    throw usageError(`--withhold "${text}" is no part`, `give one of ${KINDS.join(', ')}`);
  return kind;
}
