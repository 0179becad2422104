import { readdirSync } from 'node:fs';
import { isUri } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import type { GovernanceState } from '../governance/index.ts';
import { type Home, isLocalName } from '../governor/index.ts';
import { parsePublicJwk, readKeyFile, type SigningKey, type VerificationKey } from '../key/index.ts';
import { failure, usageError } from './cli-error.ts';
import { orUsage, readJsonFile } from './input-file.ts';

const MAX_JWK_BYTES = 16_384;

/** The subject of an agent given by name (`builder`) or by URI. */
export function agentSubject(home: Home, nameOrUri: string): string {
  if (isLocalName(nameOrUri)) return home.agent(nameOrUri);
  if (isUri(nameOrUri)) return nameOrUri;
  throw usageError(
    `"${nameOrUri}" is neither a name nor a URI`,
    'names have letters, digits and . _ ~ - only, such as "builder"',
  );
}

/** The name of an agent of this domain, where its subject has one. */
export function agentName(home: Home, subject: string): string | undefined {
  const prefix = home.agent('');
  const name = subject.startsWith(prefix) ? subject.slice(prefix.length) : '';
  return isLocalName(name) ? name : undefined;
}

/** The key an enrolled agent was enrolled with last. */
export function enrolledKey(home: Home, state: GovernanceState, nameOrUri: string): VerificationKey {
  const subject = agentSubject(home, nameOrUri);
  const key = state.agentBySubject(subject)?.keys.at(-1);
  if (key === undefined) {
    throw failure(
      'not_found',
      `no agent ${subject} is enrolled`,
      `run "writ agent enroll ${nameOrUri} --new", or give --key or --jwk`,
    );
  }
  return key;
}

/** Names of the agents whose keys lie in the domain's folder. */
export function localAgents(home: Home): string[] {
  try {
    return readdirSync(home.agentKeyFile('x').replace(/x\.pem$/, ''))
      .filter((file) => file.endsWith('.pem'))
      .map((file) => file.slice(0, -'.pem'.length))
      .filter(isLocalName)
      .sort();
  } catch {
    return [];
  }
}

/** The private key of a holder among the domain's agents; undefined where none of them has it. */
export function findHolderKey(
  home: Home,
  thumbprint: string,
): { readonly name: string; readonly key: SigningKey } | undefined {
  for (const name of localAgents(home)) {
    const key = readKeyFile(home.agentKeyFile(name));
    if (!isDenial(key) && key.publicKey.thumbprint === thumbprint) return { name, key };
  }
  return undefined;
}

/** A public key from a JWK file. */
export function readJwkFile(cwd: string, file: string): VerificationKey {
  const json = orUsage(readJsonFile(cwd, file, { maxBytes: MAX_JWK_BYTES }));
  const key = parsePublicJwk(json, 'request.malformed');
  if (isDenial(key))
    throw usageError(`${file}: ${key.detail}`, 'give the public half only, as "writ key new" prints it');
  return key;
}
