import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/** Ours. */
export function writVersion(): string {
  return versionIn(ROOT);
}

/** Of one of our own dependencies, as it is installed. */
export function dependencyVersion(name: string): string {
  return versionIn(join(ROOT, 'node_modules', name));
}

function versionIn(folder: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}
