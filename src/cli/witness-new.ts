import { resolve } from 'node:path';
import { SigningKey } from '../key/index.ts';
import { noteVerifier } from '../tlog/index.ts';
import { usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';
import { createWitnessFolder, readWitnessFolder } from './witness-folder.ts';

interface Options {
  readonly name: string;
  readonly mlDsa?: boolean;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Make a witness: a folder with its key and an empty state. Its name is part of every cosignature; a schema-less URL
is usual. A witness must not lose its state: it would cosign a fork of what it has seen. Without its state it does
not start; then make a new one, with a new key.`,
    )
    .argument('<folder>', 'where to make it')
    .requiredOption('--name <name>', 'name of the witness, such as witness.example/w1')
    .option('--ml-dsa', 'also make an ML-DSA-44 key: cosignatures that outlast Ed25519')
    .addHelpText(
      'after',
      examples(
        '$ writ witness new w1 --name witness.example/w1',
        '$ writ witness serve w1 --log "$(cat .writ/execution/fs/log.vkey)"',
      ),
    )
    .action(act(newWitness));
};

async function newWitness(session: Session, folder: string, options: Options): Promise<void> {
  const { output, surroundings } = session;
  const path = resolve(surroundings.cwd, folder);
  if (!isName(options.name)) {
    throw usageError(
      `--name "${options.name}" is no key name`,
      'use letters, digits and . / - without spaces',
    );
  }
  createWitnessFolder(path, options.name, { mlDsa: options.mlDsa === true });
  const { name, vkeys } = readWitnessFolder(path);
  output.answer({ folder: path, name, vkeys }, () => {
    output.line(good('made '), name, faint(`  ${path}`));
    for (const vkey of vkeys) output.line(faint('vkey  '), vkey);
    output.line(faint('Logs that it is to cosign name its vkey in their witness policy.'));
  });
}

function isName(name: string): boolean {
  try {
    return name.length <= 255 && noteVerifier(name, SigningKey.generate().publicKey).name === name;
  } catch {
    return false;
  }
}
