import { readdirSync } from 'node:fs';
import { isDenial } from '../denial/index.ts';
import { readKeyFile, type SigningKey } from '../key/index.ts';
import { type Home, isLocalName } from './home.ts';

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
