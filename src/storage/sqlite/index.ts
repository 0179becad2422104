export type { Head } from './batch-writer.ts';
export { LogLocked } from './failure.ts';
export { type EvidenceState, openSqliteLogReader, SqliteLogReader } from './log-reader.ts';
export { openSqliteLog, withSqliteLog } from './open-log.ts';
export { rebuildTiles } from './rebuild-tiles.ts';
export { type IndexKind, SqliteReceiptIndex } from './receipt-index.ts';
export { SqliteLog, type SqliteLogOptions } from './sqlite-log.ts';
export { type LogProblem, type LogVerification, verifyLog } from './verify-log.ts';
export { type CosignedHead, WitnessState } from './witness-state.ts';
