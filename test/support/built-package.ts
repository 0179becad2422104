import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildLibrary, buildProgram } from '../../scripts/build-package.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(ROOT, 'node_modules', '.cache');

let folder = '';

/**
 * Run once before all tests: builds the package as it is published, so that end-to-end tests start what users start, in half
 * the time. Below `node_modules`, where it finds the packages that are not bundled.
 */
export async function setup(): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  folder = mkdtempSync(join(CACHE, 'writ-test-'));
  await Promise.all([
    buildProgram(join(folder, 'dist', 'program')),
    buildLibrary(join(folder, 'dist', 'src')),
    ...['bin', 'package.json'].map((name) =>
      cpSync(join(ROOT, name), join(folder, name), { recursive: true }),
    ),
  ]);
  process.env.WRIT_TEST_PROGRAM = join(folder, 'bin', 'writ.js');
}

export function teardown(): void {
  rmSync(folder, { recursive: true, force: true });
}
