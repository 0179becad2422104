import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Third-party vectors stand beside the repository, in `../shared/vectors` as seen from its root, and are not copied in. */
export const SHARED_VECTORS = fileURLToPath(new URL('../../../shared/vectors', import.meta.url));

/** Undefined, with a message, where they are absent. */
export function readSharedVectors(name: string): unknown {
  const path = join(SHARED_VECTORS, name);
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8'));
  process.stderr.write(`skipped: ../shared/vectors/${name} is not there\n`);
  return undefined;
}
