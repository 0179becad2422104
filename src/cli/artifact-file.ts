import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { type Home, isLocalName, readArtifactFile, writeFileDurably } from '../governor/index.ts';
import { failure, usageError } from './cli-error.ts';

export { artifactPath, readArtifactFile } from '../governor/index.ts';

/** The files of the domain's stored artifacts, sorted. */
export function listArtifactFiles(home: Home): string[] {
  const folder = dirname(home.artifactFile('x'));
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .sort()
      .map((file) => join(folder, file));
  } catch {
    return [];
  }
}

/** The same for commands that cannot go on without it. */
export function mustReadArtifact(
  path: string,
  howToGetOne = 'issue one with "writ artifact issue"',
): readonly string[] {
  const chain = readArtifactFile(path);
  if (!isDenial(chain)) return chain;
  if (existsSync(path)) throw failure(chain.code, chain.detail, 'an artifact file is {"aat_chain": ["…"]}');
  throw failure('not_found', `there is no artifact ${path}`, howToGetOne);
}

/** Stores an artifact under a name of the domain. */
export function writeArtifact(
  home: Home,
  name: string,
  chain: readonly string[],
  options: { readonly replace: boolean },
): string {
  const path = checkArtifactName(home, name, options);
  writeFileDurably(path, `${JSON.stringify({ aat_chain: chain }, undefined, 1)}\n`);
  return path;
}

/** Before anything is signed: whether the name can be used. */
export function checkArtifactName(
  home: Home,
  name: string,
  { replace }: { readonly replace: boolean },
): string {
  if (!isLocalName(name)) throw usageError(`"${name}" is no name: letters, digits and . _ ~ - only`);
  const path = home.artifactFile(name);
  if (!replace && existsSync(path)) {
    throw failure('exists', `there is an artifact ${name} already`, 'choose another --out, or add --replace');
  }
  return path;
}
