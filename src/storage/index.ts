export { type MemoryLogOptions, openMemoryLog } from './memory/index.ts';
export { openPosixTileStore, type Publication, publishTiles, type TileSource } from './posix/index.ts';
export {
  type EvidenceState,
  type IndexKind,
  LogLocked,
  type LogProblem,
  type LogVerification,
  openSqliteLog,
  openSqliteLogReader,
  rebuildTiles,
  SqliteLog,
  type SqliteLogOptions,
  SqliteLogReader,
  SqliteReceiptIndex,
  verifyLog,
  withSqliteLog,
} from './sqlite/index.ts';
