export { type MemoryLogOptions, openMemoryLog } from './memory/index.ts';
export { openPosixTileStore, type Publication, publishTiles, type TileSource } from './posix/index.ts';
export {
  type CosignedHead,
  type EvidenceState,
  LogLocked,
  type LogProblem,
  type LogVerification,
  openSqliteLog,
  openSqliteLogReader,
  rebuildTiles,
  SqliteLog,
  type SqliteLogOptions,
  SqliteLogReader,
  verifyLog,
  WitnessState,
  withSqliteLog,
} from './sqlite/index.ts';
