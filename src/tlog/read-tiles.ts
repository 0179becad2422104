import { parseEntryBundle } from './entry-bundle.ts';
import { HASH_BYTES, hashesEqual, leafHash } from './hash.ts';
import type { HashReader } from './hash-reader.ts';
import { LogUnavailable } from './log.ts';
import { formatTilePath, storedHashCount, TILE_WIDTH, type Tile } from './tile-path.ts';
import type { TileStore } from './tile-store.ts';

/** Reading needs no more than this of a store. */
export type TileFetcher = Pick<TileStore, 'read'>;

/** Thrown by the reader of `withTiles` and caught there; nobody else sees it. */
class MissingTile extends Error {
  readonly tile: Tile;

  constructor(tile: Tile) {
    super('tile is not loaded');
    this.tile = tile;
  }
}

/**
 * Runs a computation over the hashes of a published tree of `size`: `compute` is called again each time it needed a
 * tile that was not loaded, so it must be free of effects. A proof needs two or three tiles per level.
 *
 * INVARIANT: tiles are hearsay. What comes out must be verified against a signed root (`verifyInclusion`,
 * `verifyConsistency`, or comparing `rootAt`).
 *
 * @throws LogUnavailable when a tile is missing or has another size.
 */
export async function withTiles<T>(
  store: TileFetcher,
  size: number,
  compute: (reader: HashReader) => T,
): Promise<T> {
  const loaded = new Map<string, Uint8Array>();
  const reader: HashReader = {
    readHashes: (level, start, count) => readFromTiles(loaded, size, level, start, count),
  };
  for (;;) {
    try {
      return compute(reader);
    } catch (error) {
      if (!(error instanceof MissingTile)) throw error;
      const bytes = await readTile(store, error.tile);
      if (bytes.byteLength !== error.tile.width * HASH_BYTES) {
        throw new LogUnavailable(`tile ${formatTilePath(error.tile)} has another width`);
      }
      loaded.set(formatTilePath(error.tile), bytes);
    }
  }
}

/**
 * The entries of bundle `index` in a published tree of `size`, in order.
 * @throws LogUnavailable when the bundle is missing or doesn't hash to its level-0 tile. The tile itself must have been
 * verified against a signed root.
 */
export async function readEntryBundle(
  store: TileFetcher,
  size: number,
  index: number,
  level0: Uint8Array,
): Promise<Uint8Array[]> {
  const tile = tileAt('entries', index, size);
  const bytes = await readTile(store, tile);
  const entries = parseEntryBundle(bytes, tile.width);
  if (!Array.isArray(entries)) throw new LogUnavailable(`${formatTilePath(tile)}: ${entries.detail}`);
  entries.forEach((entry, at) => {
    const expected = level0.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
    if (!hashesEqual(leafHash(entry), expected)) {
      throw new LogUnavailable(`entry ${index * TILE_WIDTH + at} is not the one in the tree`);
    }
  });
  return entries;
}

function readFromTiles(
  loaded: ReadonlyMap<string, Uint8Array>,
  size: number,
  level: number,
  start: number,
  count: number,
): Uint8Array {
  const end = start + count;
  if (start < 0 || count < 0 || end > storedHashCount(level, size)) {
    throw new TypeError(`hashes ${start} to ${end} of level ${level} are not in a tree of ${size}`);
  }
  const hashes = new Uint8Array(count * HASH_BYTES);
  let at = start;
  while (at < end) {
    const tile = tileAt(level, Math.floor(at / TILE_WIDTH), size);
    const bytes = loaded.get(formatTilePath(tile));
    if (bytes === undefined) throw new MissingTile(tile);
    const first = tile.index * TILE_WIDTH;
    const until = Math.min(end, first + TILE_WIDTH);
    hashes.set(
      bytes.subarray((at - first) * HASH_BYTES, (until - first) * HASH_BYTES),
      (at - start) * HASH_BYTES,
    );
    at = until;
  }
  return hashes;
}

/** The tile as a tree of `size` has it: full, or as wide as that tree left it. */
function tileAt(level: number | 'entries', index: number, size: number): Tile {
  return { level, index, width: Math.min(TILE_WIDTH, storedHashCount(level, size) - index * TILE_WIDTH) };
}

/** A partial tile may be gone once the full one is there (tlog-tiles, "Partial Tiles"): then that one's front is it. */
async function readTile(store: TileFetcher, tile: Tile): Promise<Uint8Array> {
  const bytes = await store.read(formatTilePath(tile));
  if (bytes !== undefined) return bytes;
  if (tile.width < TILE_WIDTH) {
    const full = await store.read(formatTilePath({ ...tile, width: TILE_WIDTH }));
    if (full !== undefined) return frontOf(full, tile);
  }
  throw new LogUnavailable(`tile ${formatTilePath(tile)} is missing`);
}

function frontOf(full: Uint8Array, tile: Tile): Uint8Array {
  if (tile.level !== 'entries') return full.subarray(0, tile.width * HASH_BYTES);
  const view = new DataView(full.buffer, full.byteOffset, full.byteLength);
  let end = 0;
  for (let entry = 0; entry < tile.width && end + 2 <= full.byteLength; entry += 1)
    end += 2 + view.getUint16(end);
  return full.subarray(0, end);
}
