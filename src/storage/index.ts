export { add as addDecimals, type Decimal, decimalOf, exceeds as exceedsDecimal, ZERO } from './decimal.ts';
export { type MemoryLogOptions, openMemoryLog } from './memory/index.ts';
export { openPosixTileStore, type Publication, publishTiles, type TileSource } from './posix/index.ts';
export {
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
  withSqliteLog,
} from './sqlite/index.ts';
