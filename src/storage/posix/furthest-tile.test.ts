import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatTilePath } from '../../tlog/index.ts';
import { furthestTile } from './furthest-tile.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-tiles-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function put(index: number, width: number): void {
  const file = join(directory, formatTilePath({ level: 0, index, width }));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '');
}

describe('furthestTile', () => {
  it('is 0 where nothing is published, and the end of the last tile otherwise', () => {
    expect(furthestTile(directory)).toBe(0);
    put(0, 17);
    expect(furthestTile(directory)).toBe(17);
    put(0, 256);
    put(1, 3);
    put(1, 200);
    expect(furthestTile(directory)).toBe(456);
    put(999, 256);
    put(1_000, 1);
    expect(furthestTile(directory)).toBe(256_001);
    put(1_234_067, 256);
    expect(furthestTile(directory)).toBe(1_234_068 * 256);
  });

  it('passes over names that are no tiles', () => {
    put(0, 5);
    for (const name of ['1', '0001', 'x', '000.p/0', '000.p/256', '000.p/x', '007.p']) {
      const file = join(directory, 'tile/0', name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, '');
    }
    expect(furthestTile(directory)).toBe(5);
  });

  it('does not take what cannot be read for nothing', () => {
    mkdirSync(join(directory, 'tile'));
    symlinkSync('0', join(directory, 'tile', '0'));
    expect(() => furthestTile(directory)).toThrow(/cannot be read: ELOOP/);
  });
});
