export { FileComparison } from './file-comparison.ts';
export { furthestTile } from './furthest-tile.ts';
export { openPosixTileStore } from './posix-tile-store.ts';
export { type Publication, publishTiles, type TileSource, tileBytes } from './publish-tiles.ts';
