import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import {
  encodeEntryBundle,
  formatTilePath,
  parseEntryBundle,
  parseTilePath,
  storedHashCount,
  type Tile,
  tilesBetween,
} from './index.ts';

const tile = fc.record<Tile>({
  level: fc.oneof(fc.integer({ min: 0, max: 63 }), fc.constant('entries' as const)),
  index: fc.oneof(fc.nat(2000), fc.maxSafeNat()),
  width: fc.integer({ min: 1, max: 256 }),
});

describe('tile paths', () => {
  it.each([
    ['tile/0/000', { level: 0, index: 0, width: 256 }],
    ['tile/0/x001/x234/067', { level: 0, index: 1_234_067, width: 256 }],
    ['tile/3/x001/000.p/7', { level: 3, index: 1000, width: 7 }],
    ['tile/entries/999.p/255', { level: 'entries', index: 999, width: 255 }],
    ['tile/63/x009/x007/x199/x254/x740/991', { level: 63, index: 9_007_199_254_740_991, width: 256 }],
  ] as const)('%s', (path, expected) => {
    expect(formatTilePath(expected)).toBe(path);
    expect(parseTilePath(path)).toEqual(expected);
  });

  it('round trip, and no tile has two', () => {
    fc.assert(
      fc.property(tile, (one) => {
        expect(parseTilePath(formatTilePath(one))).toEqual(one);
      }),
    );
  });

  it.each([
    '',
    'tile',
    'checkpoint',
    '/tile/0/000',
    'tile/0/000/',
    'tile/0/../000',
    'tile/0/x001/../../../000',
    'tile/0/00',
    'tile/0/0000',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/x001',
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/8/0/000',
    'tile/data/000',
    'tile/entries/000.p/0',
    'tile/entries/000.p/256',
    'tile/entries/000.p/01',
    'tile/entries/000.p',
    'tile/entries/000.p/1/',
    'tile/entries/000.p/1\n',
    'tile/0/000\n',
    'tile/0/000\u0000',
    'tile/0/\u0660\u0660\u0660',
    'tile/0/x009/x007/x199/x254/x740/992',
  ])('%j is no tile', (path) => {
    expect(isDenial(parseTilePath(path))).toBe(true);
  });

  it('of endless length are refused', () => {
    expect(isDenial(parseTilePath(`tile/0/${'x999/'.repeat(100_000)}999`))).toBe(true);
  });

  it('are not made for what is no tile', () => {
    for (const bad of [
      { level: 64, index: 0, width: 1 },
      { level: -1, index: 0, width: 1 },
      { level: 0, index: -1, width: 1 },
      { level: 0, index: 2 ** 53, width: 1 },
      { level: 0, index: 0, width: 0 },
      { level: 0, index: 0, width: 257 },
    ]) {
      expect(() => formatTilePath(bad)).toThrow(TypeError);
    }
  });
});

describe('the tiles of a tree', () => {
  const countOf = (size: number, level: number | 'entries', isFull: boolean) =>
    [...tilesBetween(0, size)].filter((one) => one.level === level && (one.width === 256) === isFull);

  it('of 70,000 are those the specification counts', () => {
    expect(countOf(70_000, 0, true)).toHaveLength(273);
    expect(countOf(70_000, 0, false)).toEqual([{ level: 0, index: 273, width: 112 }]);
    expect(countOf(70_000, 1, true)).toHaveLength(1);
    expect(countOf(70_000, 1, false)).toEqual([{ level: 1, index: 1, width: 17 }]);
    expect(countOf(70_000, 2, true)).toHaveLength(0);
    expect(countOf(70_000, 2, false)).toEqual([{ level: 2, index: 0, width: 1 }]);
    expect(countOf(70_000, 3, false)).toHaveLength(0);
  });

  it('of 256 are a full tile and one of width 1 above it', () => {
    expect([...tilesBetween(0, 256)].map(formatTilePath)).toEqual([
      'tile/entries/000',
      'tile/0/000',
      'tile/1/000.p/1',
    ]);
  });

  it('of 0 are none', () => {
    expect([...tilesBetween(0, 0)]).toEqual([]);
  });

  it('grow: what a tree has is what an earlier one had and what came between', () => {
    const sizes = fc.tuple(fc.nat(200_000), fc.nat(2000));
    fc.assert(
      fc.property(sizes, ([since, more]) => {
        const size = since + more;
        const had = new Set([...tilesBetween(0, since)].map(formatTilePath));
        const between = [...tilesBetween(since, size)].map(formatTilePath);
        for (const path of [...tilesBetween(0, size)].map(formatTilePath)) {
          expect(had.has(path) || between.includes(path)).toBe(true);
        }
        expect(between.some((path) => had.has(path))).toBe(false);
      }),
      { numRuns: 20 },
    );
  });

  it('hold no more hashes than the tree stores', () => {
    expect(storedHashCount('entries', 70_000)).toBe(70_000);
    expect([0, 1, 2, 3].map((level) => storedHashCount(level, 70_000))).toEqual([70_000, 273, 1, 0]);
  });
});

describe('entry bundles', () => {
  it('round trip', () => {
    const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 256 });
    fc.assert(
      fc.property(entries, (list) => {
        const parsed = parseEntryBundle(encodeEntryBundle(list), list.length);
        expect(isDenial(parsed) ? parsed.detail : parsed).toEqual(list);
      }),
    );
  });

  it('hold entries of 0 and of 65535 bytes', () => {
    const entries = [new Uint8Array(), new Uint8Array(65_535).fill(3)];
    const bytes = encodeEntryBundle(entries);
    expect([...bytes.subarray(0, 4)]).toEqual([0, 0, 0xff, 0xff]);
    expect(parseEntryBundle(bytes, 2)).toEqual(entries);
  });

  it('are not made of what would not fit', () => {
    expect(() => encodeEntryBundle([])).toThrow(TypeError);
    expect(() => encodeEntryBundle([new Uint8Array(65_536)])).toThrow(TypeError);
    expect(() => encodeEntryBundle(Array.from({ length: 257 }, () => new Uint8Array()))).toThrow(TypeError);
  });

  it('are denied when cut, stretched or of another width', () => {
    const bytes = encodeEntryBundle([Buffer.from('one'), Buffer.from('two')]);
    const denied = (input: Uint8Array, width: number) => isDenial(parseEntryBundle(input, width));
    for (let length = 0; length < bytes.byteLength; length += 1)
      expect(denied(bytes.subarray(0, length), 2)).toBe(true);
    expect(denied(Buffer.concat([bytes, Buffer.of(0)]), 2)).toBe(true);
    expect(denied(Buffer.concat([bytes, Buffer.of(0, 0)]), 2)).toBe(true);
    expect(denied(bytes, 1)).toBe(true);
    expect(denied(bytes, 3)).toBe(true);
  });
});
