import { isUri } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import type { GovernanceState } from '../governance/index.ts';
import { type Home, isLocalName, localAgents } from '../governor/index.ts';
import { parsePublicJwk, type VerificationKey } from '../key/index.ts';
import { failure, usageError } from './cli-error.ts';
import { orUsage, readJsonFile } from './input-file.ts';

export { findHolderKey, localAgents } from '../governor/index.ts';

const MAX_JWK_BYTES = 16_384;
const DEFAULT_AGENT = 'agent';

/** Who calls where nobody is named: the only agent there is, else `agent`. */
export function defaultAgent(home: Home | undefined): string {
  const [only, ...others] = home === undefined ? [] : localAgents(home);
  return only !== undefined && others.length === 0 ? only : DEFAULT_AGENT;
}

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

/** A public key from a JWK file. */
export function readJwkFile(cwd: string, file: string): VerificationKey {
  const json = orUsage(readJsonFile(cwd, file, { maxBytes: MAX_JWK_BYTES }));
  const key = parsePublicJwk(json, 'request.malformed');
  if (isDenial(key))
    throw usageError(`${file}: ${key.detail}`, 'give the public half only, as "writ key new" prints it');
  return key;
}
