import { resolve } from 'node:path';
import { isJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type Home, isLocalName } from './home.ts';
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
