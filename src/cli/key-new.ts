import { resolve } from 'node:path';
import { SigningKey, writeKeyFile } from '../key/index.ts';
import { failure } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { type PassphraseOptions, readPassphrase } from './passphrase.ts';
import type { Session } from './session.ts';
import { faint } from './text.ts';

export const define: Define = (command, act) => {
  command
    .description('Make an Ed25519 key file (PKCS#8 PEM, mode 0600) and print its public half.')
    .argument('<file>', 'where to write it; an existing file is never replaced')
    .option('--passphrase', 'ask for a passphrase to encrypt it with')
    .option('--passphrase-file <file>', 'read the passphrase from a file')
    .addHelpText('after', examples('$ writ key new agent.pem', '$ writ agent enroll builder --key agent.pem'))
    .action(act(newKey));
};

async function newKey(session: Session, file: string, options: PassphraseOptions): Promise<void> {
  const { output, surroundings } = session;
  const path = resolve(surroundings.cwd, file);
  const passphrase = await readPassphrase(session, options, 'new');
  const key = SigningKey.generate();
  const refused = writeKeyFile(path, key, passphrase);
  if (refused !== undefined) {
    throw failure(
      'file.unwritable',
      refused.detail,
      'an existing key is never replaced: choose another file',
    );
  }
  const { jwk, thumbprint } = key.publicKey;
  output.answer({ file: path, jwk, thumbprint, encrypted: passphrase !== undefined }, () => {
    output.line(faint('file        '), path);
    output.line(faint('jwk         '), JSON.stringify(jwk));
    output.line(faint('thumbprint  '), thumbprint);
  });
}
