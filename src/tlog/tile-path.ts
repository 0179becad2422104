import { type Denial, deny } from '../denial/index.ts';
import { parseDecimal } from './decimal.ts';

/** Hashes in a full tile, entries in a full bundle. */
export const TILE_WIDTH = 256;

/** A tile or entry bundle: the resource at one path (tlog-tiles). */
export interface Tile {
  /** 0 to 63: tree hashes of that tile level; `entries`: the entries under level 0. */
  readonly level: number | 'entries';
  readonly index: number;
  /** 256 when full, 1 to 255 when partial. */
  readonly width: number;
}

const MAX_LEVEL = 63;
/** Levels 0 to 6 hold every hash of a tree of 2^53 entries; the path grammar goes further. */
const MAX_PATH_CHARACTERS = 64;
const PATH = /^tile\/(entries|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/** @throws TypeError when there is no such tile. */
export function formatTilePath(tile: Tile): string {
  const { level, index, width } = tile;
  if (level !== 'entries' && !(Number.isSafeInteger(level) && level >= 0 && level <= MAX_LEVEL)) {
    throw new TypeError('a tile level is 0 to 63');
  }
  if (!Number.isSafeInteger(index) || index < 0) throw new TypeError('a tile index is not negative');
  if (!Number.isSafeInteger(width) || width < 1 || width > TILE_WIDTH) {
    throw new TypeError('a tile width is 1 to 256');
  }
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/.{3}/g) ?? [];
  const name = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${level}/${name}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

/** Parses the one canonical path of a tile; denies everything else, dots and other folders included. */
export function parseTilePath(path: string): Tile | Denial {
  const match = path.length <= MAX_PATH_CHARACTERS ? PATH.exec(path) : null;
  if (match === null) return deny('log.unavailable', 'not a tile path');
  const [, levelText, name, widthText] = match;
  const level = levelText === 'entries' ? 'entries' : Number(levelText);
  const index = parseDecimal((name ?? '').replaceAll(/[x/]/g, '').replace(/^0+(?=.)/, ''));
  const width = widthText === undefined ? TILE_WIDTH : Number(widthText);
  if (index === undefined || width > TILE_WIDTH) return deny('log.unavailable', 'not a tile path');
  if (level !== 'entries' && level > MAX_LEVEL) return deny('log.unavailable', 'not a tile path');
  const tile: Tile = { level, index, width };
  return formatTilePath(tile) === path ? tile : deny('log.unavailable', 'tile path is not canonical');
}

/** How many hashes a tree of `size` stores at a tile level; entries count as level 0. */
export function storedHashCount(level: number | 'entries', size: number): number {
  return level === 'entries' ? size : Math.floor(size / TILE_WIDTH ** level);
}

/**
 * Every tile of a tree of `size` that a tree of `since` doesn't have: entry bundles first, then level by level, so that
 * a reader who sees a tile can fetch what it covers.
 */
export function* tilesBetween(since: number, size: number): Generator<Tile> {
  for (const level of levelsOf(size)) {
    const before = storedHashCount(level, since);
    const count = storedHashCount(level, size);
    if (count === before) continue;
    for (let index = Math.floor(before / TILE_WIDTH); index * TILE_WIDTH < count; index += 1) {
      yield { level, index, width: Math.min(TILE_WIDTH, count - index * TILE_WIDTH) };
    }
  }
}

function* levelsOf(size: number): Generator<number | 'entries'> {
  yield 'entries';
  for (let level = 0; storedHashCount(level, size) > 0; level += 1) yield level;
}
