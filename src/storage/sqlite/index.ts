export type { Head } from './batch-writer.ts';
export { LogLocked } from './failure.ts';
export type { LogProblem } from './log-problem.ts';
export { type EvidenceState, openSqliteLogReader, SqliteLogReader } from './log-reader.ts';
export { openSqliteLog, withSqliteLog } from './open-log.ts';
export { type RebuildOptions, type RebuiltLog, rebuildLog } from './rebuild-log.ts';
export { SqliteLog, type SqliteLogOptions } from './sqlite-log.ts';
export { type LogVerification, verifyLog } from './verify-log.ts';
