import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { createEvidenceKey, readEvidenceKey } from './evidence-key.ts';

describe('the evidence key', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'writ-evidence-key-'));
    path = join(folder, 'evidence.key');
    createEvidenceKey(path);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const problem = (file = path) => {
    const key = readEvidenceKey(file);
    return isDenial(key) ? key.detail : `${key.byteLength} bytes`;
  };

  it('is 32 bytes that only its owner can read', () => {
    expect(problem()).toBe('32 bytes');
    chmodSync(path, 0o640);
    expect(problem()).toContain('can be read by others');
  });

  it('is held to what every private file is: bounded, no link, present', () => {
    writeFileSync(path, 'f'.repeat(100_000));
    expect(problem()).toContain('is too large');
    writeFileSync(path, 'not hex');
    expect(problem()).toContain('not 32 bytes of hex');
    symlinkSync(path, join(folder, 'link'));
    expect(problem(join(folder, 'link'))).toContain('cannot be read: ELOOP');
    expect(problem(join(folder, 'none'))).toContain('cannot be read: ENOENT');
  });
});
