export { add as addDecimals, type Decimal, decimalOf, exceeds as exceedsDecimal, ZERO } from './decimal.ts';
export { type MemoryLogOptions, openMemoryLog } from './memory/index.ts';
export { openPosixTileStore, type Publication, publishTiles, type TileSource } from './posix/index.ts';
export {
  type CosignedHead,
  type EvidenceState,
  type IndexKind,
  LogLocked,
  type LogProblem,
  type LogVerification,
  openShortSqliteLog,
  openSqliteLog,
  openSqliteLogReader,
  type RebuildOptions,
  type RebuiltLog,
  ReopeningLog,
  type ReopeningLogOptions,
  rebuildLog,
  SqliteLog,
  type SqliteLogOptions,
  SqliteLogReader,
  SqliteReceiptIndex,
  verifyLog,
  WitnessState,
  withSqliteLog,
} from './sqlite/index.ts';
