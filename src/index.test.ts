import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import * as writ from './index.ts';

const ROOT = new URL('../', import.meta.url);

it('every subpath of the package is a file that exists', () => {
  const text = readFileSync(new URL('package.json', ROOT), 'utf8');
  const { exports } = JSON.parse(text) as { exports: Record<string, string> };
  for (const [subpath, target] of Object.entries(exports)) {
    const source = target.replace(/^\.\/dist\/(.*)\.js$/, '$1.ts');
    expect(existsSync(fileURLToPath(new URL(source, ROOT))), subpath).toBe(true);
  }
});

it('the package itself has the governor and what puts functions under it', () => {
  expect(Object.keys(writ)).toEqual(
    expect.arrayContaining(['Governor', 'Writ', 'WritDenied', 'govern', 'openGovernor', 'openWrit']),
  );
});
