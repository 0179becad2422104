import { usageError } from './cli-error.ts';
import { orUsage, readInputFile } from './input-file.ts';
import type { Session } from './session.ts';

const MAX_PASSPHRASE_BYTES = 4096;

/** Where a passphrase comes from: a file or a prompt. Never the command line, which others can read. */
export interface PassphraseOptions {
  readonly passphraseFile?: string;
  readonly passphrase?: boolean;
}

/** @param purpose `new` asks twice. */
export async function readPassphrase(
  { surroundings }: Session,
  { passphraseFile, passphrase }: PassphraseOptions,
  purpose: 'new' | 'existing',
): Promise<string | undefined> {
  if (passphraseFile !== undefined) {
    const bytes = orUsage(readInputFile(surroundings.cwd, passphraseFile, MAX_PASSPHRASE_BYTES));
    const text = Buffer.from(bytes)
      .toString('utf8')
      .replace(/\r?\n$/, '');
    if (text === '') throw usageError(`${passphraseFile} holds no passphrase`);
    return text;
  }
  if (passphrase !== true) return undefined;
  if (surroundings.stdin.isTTY !== true || surroundings.stderr.isTTY !== true) {
    throw usageError('there is no terminal to ask for the passphrase', 'give --passphrase-file FILE');
  }
  const answer = await ask(surroundings.stderr, 'Passphrase');
  if (purpose === 'new' && (await ask(surroundings.stderr, 'Again')) !== answer) {
    throw usageError('the two passphrases differ');
  }
  return answer;
}

async function ask(output: Session['surroundings']['stderr'], message: string): Promise<string> {
  const { isCancel, password } = await import('@clack/prompts');
  const answer = await password({
    message,
    output,
    validate: (value) => (value ? undefined : 'It must not be empty.'),
  });
  if (isCancel(answer)) throw usageError('cancelled');
  return answer;
}
