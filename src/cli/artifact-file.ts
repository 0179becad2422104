import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type Home, isLocalName, writeFileDurably } from '../governor/index.ts';
import { failure, usageError } from './cli-error.ts';
import { readJsonFile } from './input-file.ts';

/** A chain is 256 KiB at most; a presentation adds a proof. */
const MAX_ARTIFACT_BYTES = 8 * 1024 * 1024;

/** Where an artifact given by name or file lies: a path has a slash or ends in `.json`. */
export function artifactPath(home: Home | undefined, cwd: string, nameOrFile: string): string {
  if (home !== undefined && isLocalName(nameOrFile) && !nameOrFile.endsWith('.json')) {
    return home.artifactFile(nameOrFile);
  }
  return resolve(cwd, nameOrFile);
}

/** The compact tokens of an artifact file (`{"aat_chain": […]}`, or a presentation), root first. Not verified. */
export function readArtifactFile(path: string): readonly string[] | Denial {
  const json = readJsonFile('/', path, { maxBytes: MAX_ARTIFACT_BYTES, maxDepth: 8 });
  if (isDenial(json)) return json;
  const chain = isJsonObject(json) ? json.aat_chain : undefined;
  if (!Array.isArray(chain) || chain.length === 0) {
    return deny('artifact.missing', `${path} holds no aat_chain`);
  }
  const tokens = chain.filter((token) => typeof token === 'string');
  return tokens.length === chain.length
    ? tokens
    : deny('artifact.malformed', `${path}: a member of aat_chain is not a string`);
}

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
