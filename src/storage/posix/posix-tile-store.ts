import type { TileStore } from '../../tlog/index.ts';

/** A `TileStore` on a directory that any static file server can publish. */
export function openPosixTileStore(directory: string): TileStore {
  throw new TypeError(`not built yet: ${directory}`);
}
