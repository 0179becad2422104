export { openPosixTileStore } from './posix-tile-store.ts';
export { type Publication, publishTiles, type TileSource } from './publish-tiles.ts';
