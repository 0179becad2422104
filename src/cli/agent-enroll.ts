import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { enrollAgent, type Home, isLocalName } from '../governor/index.ts';
import { readKeyFile, SigningKey, type VerificationKey, writeKeyFile } from '../key/index.ts';
import { agentSubject, readJwkFile } from './agents.ts';
import { denied, failure, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { readGovernance } from './governance.ts';
import { type PassphraseOptions, readPassphrase } from './passphrase.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';

interface Options extends PassphraseOptions {
  readonly key?: string;
  readonly jwk?: string;
  readonly new?: boolean;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Bind an agent to its key in the governance log. Artifacts can then be issued to it by name, receipts name it,
and policies can require it. A name stands for spiffe://<domain>/agent/<name>.`,
    )
    .argument('<agent>', 'name or URI')
    .option('--new', 'make a key for it in the trust domain folder')
    .option('--key <file>', 'its private key file (only the public half is used)')
    .option('--jwk <file>', 'its public key as a JWK')
    .option('--passphrase', 'ask for the passphrase of --key')
    .option('--passphrase-file <file>', 'read that passphrase from a file')
    .addHelpText(
      'after',
      examples(
        '$ writ agent enroll builder --new',
        '$ writ agent enroll spiffe://partner.example/agent/7 --jwk agent7.jwk',
      ),
    )
    .action(act(enroll));
};

async function enroll(session: Session, agent: string, options: Options): Promise<void> {
  const { output, nowSeconds } = session;
  const home = await session.openHome();
  const subject = agentSubject(home, agent);
  const { state } = readGovernance(home);
  const key = await keyOf(session, home, agent, options);
  const enrolled = state.agentByThumbprint(key.thumbprint)?.subject;
  if (enrolled !== undefined && enrolled !== subject) {
    throw failure('exists', `this key already speaks for ${enrolled}`, 'every agent needs a key of its own');
  }
  if (enrolled === undefined) {
    const refused = await enrollAgent(home, {
      subject,
      key,
      actor: session.actor(home),
      atSeconds: nowSeconds,
    });
    if (refused !== undefined) throw denied(refused);
  }
  const answer = { subject, thumbprint: key.thumbprint, jwk: key.jwk, changed: enrolled === undefined };
  output.answer(answer, () => {
    output.line(enrolled === undefined ? good('enrolled ') : 'already enrolled ', subject);
    output.line(faint('thumbprint  '), key.thumbprint);
    output.line(faint('next        '), `writ artifact issue --agent ${agent} --tool mcp://… --ttl 8h`);
  });
}

async function keyOf(
  session: Session,
  home: Home,
  agent: string,
  options: Options,
): Promise<VerificationKey> {
  const { cwd } = session.surroundings;
  const given = [options.new, options.key, options.jwk].filter((option) => option !== undefined);
  if (given.length > 1) throw usageError('give one of --new, --key and --jwk');
  if (options.jwk !== undefined) return readJwkFile(cwd, options.jwk);
  if (options.key !== undefined) {
    const passphrase = await readPassphrase(session, options, 'existing');
    return publicHalf(resolve(cwd, options.key), passphrase);
  }
  const file = isLocalName(agent) ? home.agentKeyFile(agent) : undefined;
  if (options.new === true) {
    if (file === undefined)
      throw usageError('--new needs a plain name, not a URI', 'use "writ key new FILE"');
    if (existsSync(file)) return publicHalf(file);
    const key = SigningKey.generate();
    const refused = writeKeyFile(file, key);
    if (refused !== undefined) throw denied(refused);
    return key.publicKey;
  }
  if (file !== undefined && existsSync(file)) return publicHalf(file);
  throw usageError(
    `which key does ${agent} have?`,
    'add --new to make one, or give --key FILE or --jwk FILE',
  );
}

function publicHalf(file: string, passphrase?: string): VerificationKey {
  const key = readKeyFile(file, passphrase);
  if (isDenial(key)) throw usageError(key.detail);
  return key.publicKey;
}
