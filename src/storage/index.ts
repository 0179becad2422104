export { type MemoryLogOptions, openMemoryLog } from './memory/index.ts';
export { openPosixTileStore, type Publication, publishTiles, type TileSource } from './posix/index.ts';
export {
  type EvidenceState,
  LogLocked,
  type LogProblem,
  type LogVerification,
  openSqliteLog,
  openSqliteLogReader,
  type RebuildOptions,
  type RebuiltLog,
  rebuildLog,
  SqliteLog,
  type SqliteLogOptions,
  SqliteLogReader,
  verifyLog,
  withSqliteLog,
} from './sqlite/index.ts';
