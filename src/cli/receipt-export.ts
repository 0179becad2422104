import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { attestExecution, type ExecutionAttestation } from '../governor/index.ts';
import { denied, failure, usageError } from './cli-error.ts';
import { shellLine } from './client-config.ts';
import { type Define, examples } from './command.ts';
import { lastExecution, mustFindExecution } from './receipt-show.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';

interface Options {
  readonly format: string;
  readonly out: string;
}

const SIGSTORE = 'sigstore';

export const define: Define = (command, act) => {
  command
    .description(
      `Write the receipts of one execution in a format that other tools verify, and record that in the domain's
attestation log. Into the folder go, for --format sigstore:
  receipt.sigstore.json   a Sigstore bundle: an in-toto Statement about the receipts, signed by their log
  trusted_root.json       the attestation log that the bundle's log entry is in, and its key
  log-key.pem             the key of the execution log, which signed the Statement
  decision.json           the decision receipt, byte for byte as logged: the Statement's subject
  outcome.json            the outcome receipt, where there is one
Arguments and results are not in it.`,
    )
    .argument('<execution>', 'execution id, as "writ log show" lists it, or "last"')
    .option('--format <name>', `the format: ${SIGSTORE}`, SIGSTORE)
    .requiredOption('--out <folder>', 'the folder to write to')
    .addHelpText(
      'after',
      examples(
        '$ writ receipt export last --format sigstore --out attestation',
        '$ writ receipt verify attestation/receipt.sigstore.json --log-key .writ/execution/fs/log.vkey',
      ),
    )
    .action(act(exportReceipt));
};

async function exportReceipt(session: Session, id: string, options: Options): Promise<void> {
  const { output, surroundings } = session;
  if (options.format !== SIGSTORE) {
    throw usageError(`--format "${options.format}" is not known`, `give --format ${SIGSTORE}`);
  }
  const home = await session.openHome();
  const execution = id === 'last' ? lastExecution(home) : id;
  const { log, reader } = mustFindExecution(home, execution);
  reader.close();
  const folder = resolve(surroundings.cwd, options.out);
  // Before anything is recorded that could then not be handed out.
  writing(options.out, () => mkdirSync(folder, { recursive: true }));
  const by = { actor: session.actor(home), atSeconds: session.nowSeconds };
  const attestation = await output.during('attesting', () => attestExecution(home, execution, by));
  if (isDenial(attestation)) throw denied(attestation, 'run "writ log verify"');
  const files = filesOf(attestation);
  writing(options.out, () => {
    for (const [name, content] of files) writeFileSync(join(folder, name), content, { mode: 0o600 });
  });
  const { keyHint, index } = attestation;
  const logKey = join(home.executionLogFolder(log), 'log.vkey');
  const answer = {
    execution,
    log,
    format: options.format,
    folder,
    files: [...files.keys()],
    keyHint,
    attestation: { log: home.attestationOrigin, index },
    logKey,
  };
  output.answer(answer, () => {
    output.line(good('exported '), execution, faint(`  ${folder}`));
    for (const name of files.keys()) output.line('  ', name);
    output.line(faint(`signed by ${keyHint}, recorded as entry ${index} of ${home.attestationOrigin}`));
    output.line(
      faint('verify  '),
      shellLine(['writ', 'receipt', 'verify', join(options.out, BUNDLE_FILE), '--log-key', logKey]),
    );
  });
}

const BUNDLE_FILE = 'receipt.sigstore.json';

function filesOf(attestation: ExecutionAttestation): ReadonlyMap<string, string | Uint8Array> {
  const { bundle, trustedRoot, signer, subjects } = attestation;
  const json = (value: object) => `${JSON.stringify(value, undefined, 1)}\n`;
  return new Map<string, string | Uint8Array>([
    [BUNDLE_FILE, json(bundle)],
    ['trusted_root.json', json(trustedRoot)],
    ['log-key.pem', signer.toPem()],
    ['decision.json', subjects.decision],
    ...(subjects.outcome === undefined ? [] : [['outcome.json', subjects.outcome] as const]),
  ]);
}

function writing(out: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw failure('file.unwritable', `${out} cannot be written: ${code}`, 'choose another --out');
  }
}
