import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const INSTALL_TIMEOUT_MS = 180_000;

/**
 * Installs one package, at one version and without its scripts, into a folder of its own below `scratch`, and imports
 * `specifier` from there. Throws with npm's or the import's reason.
 */
export async function importPeer(
  scratch: string,
  name: string,
  version: string,
  specifier = name,
): Promise<unknown> {
  const folder = join(scratch, name.replace('/', '__'));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  const flags = ['--save-exact', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const installed = spawnSync('npm', ['install', '--prefix', folder, ...flags, `${name}@${version}`], {
    encoding: 'utf8',
    timeout: INSTALL_TIMEOUT_MS,
  });
  if (installed.status !== 0) {
    const reason = installed.error?.message ?? /npm error (.*)/.exec(installed.stderr)?.[1] ?? 'npm failed';
    throw new Error(`cannot be installed: ${reason}`);
  }
  // An import is resolved from the file that it stands in.
  const loader = join(folder, 'load.mjs');
  writeFileSync(loader, 'export const load = (specifier) => import(specifier);\n');
  const { load } = (await import(pathToFileURL(loader).href)) as {
    load(specifier: string): Promise<unknown>;
  };
  return load(specifier);
}
