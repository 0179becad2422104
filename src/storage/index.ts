export { type MemoryLogOptions, openMemoryLog } from './memory/index.ts';
export { openPosixTileStore, type Publication, publishTiles, type TileSource } from './posix/index.ts';
export {
  type EvidenceState,
  LogLocked,
  openSqliteLog,
  openSqliteLogReader,
  SqliteLog,
  type SqliteLogOptions,
  SqliteLogReader,
  withSqliteLog,
} from './sqlite/index.ts';
