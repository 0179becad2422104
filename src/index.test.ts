import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { PROGRAM } from '../examples/support/program.ts';
import { must, nowSeconds } from '../test/support/trust-domain.ts';
import type * as GovernorModule from './governor/index.ts';
import * as writ from './index.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** The package as it is published, built before all tests. */
const PACKAGE = dirname(dirname(PROGRAM));

function published(): Record<string, string> {
  const text = readFileSync(join(ROOT, 'package.json'), 'utf8');
  return (JSON.parse(text) as { exports: Record<string, string> }).exports;
}

it('every subpath of the published package exports what its source does', async () => {
  for (const [subpath, target] of Object.entries(published())) {
    const source = join(ROOT, target.replace(/^\.\/dist\/(.*)\.js$/, '$1.ts'));
    const [built, written] = await Promise.all([
      import(pathToFileURL(join(PACKAGE, target)).href) as Promise<object>,
      import(source) as Promise<object>,
    ]);
    expect(Object.keys(built).sort(), subpath).toEqual(Object.keys(written).sort());
  }
});

it('the published library opens a governor with its log in a thread', async () => {
  const built = join(PACKAGE, published()['./governor'] ?? '');
  const { createDomain, openGovernor } = (await import(pathToFileURL(built).href)) as typeof GovernorModule;
  const parent = mkdtempSync(join(tmpdir(), 'writ-package-'));
  try {
    const made = { name: 'package.test', actor: 'test', atSeconds: nowSeconds() };
    const home = must(await createDomain(join(parent, '.writ'), made));
    const opened = must(await openGovernor({ home, name: 'point', components: [] }));
    await opened.close();
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});

it('the package itself has the governor and what puts functions under it', () => {
  expect(Object.keys(writ)).toEqual(
    expect.arrayContaining(['Governor', 'Writ', 'WritDenied', 'govern', 'openGovernor', 'openWrit']),
  );
});
