import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const BIN = join('bin', 'writ.js');

/** The script that is the command line of this very package, from its sources or as it was built. */
export function programFile(): string {
  return join(packageRoot(), BIN);
}

/** This program's version, as its package says. */
export function programVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}

function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, BIN)) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}
