import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FileComparison } from './file-comparison.ts';

it('says of a file that it holds the bytes it holds and no others, and of what is no file that it holds none', () => {
  const directory = mkdtempSync(join(tmpdir(), 'writ-comparison-'));
  const files = new FileComparison(directory);
  writeFileSync(join(directory, 'long'), 'a longer one');
  writeFileSync(join(directory, 'short'), 'short');
  writeFileSync(join(directory, 'empty'), '');
  mkdirSync(join(directory, 'folder'));
  execFileSync('mkfifo', [join(directory, 'pipe')]);
  const holds = (path: string, text: string) => files.holds(path, Buffer.from(text));
  expect(holds('long', 'a longer one')).toBe(true);
  expect(holds('short', 'short')).toBe(true);
  expect(holds('empty', '')).toBe(true);
  for (const wrong of ['shorT', 'shor', 'short ', 'short longer', ''])
    expect(holds('short', wrong)).toBe(false);
  for (const path of ['missing', 'folder', 'pipe', 'short/below']) expect(holds(path, '')).toBe(false);
  rmSync(directory, { recursive: true, force: true });
});
