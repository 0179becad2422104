import { LogUnavailable, logFault } from '../tlog/log.ts';
import type { LogFault } from '../tlog/log-fault.ts';

/**
 * SQLite's primary result codes (sqlite.org/rescode.html). INVARIANT: none is `locked`. Only the writer lock says that a log
 * has another writer, and whoever opens a log may then take another one.
 */
const BY_SQLITE_CODE: Readonly<Record<number, LogFault>> = {
  3: 'read_only',
  8: 'read_only',
  10: 'disk_failed',
  11: 'damaged',
  13: 'disk_full',
  14: 'read_only',
  // An index or an id that is there already, though the writer saw the log end before it.
  19: 'second_writer',
  26: 'damaged',
};

const BY_SYSTEM_CODE: Readonly<Record<string, LogFault>> = {
  ENOSPC: 'disk_full',
  EDQUOT: 'disk_full',
  EFBIG: 'disk_full',
  EMFILE: 'files_exhausted',
  ENFILE: 'files_exhausted',
  EACCES: 'read_only',
  EPERM: 'read_only',
  EROFS: 'read_only',
  EIO: 'disk_failed',
};

/** What is wrong, told by the code of what SQLite or the file system threw: a text may contain any word. */
export function faultOf(error: unknown): LogFault {
  if (error instanceof LogUnavailable) return error.fault;
  if (!(error instanceof Error)) return 'failed';
  if ('errcode' in error && typeof error.errcode === 'number') {
    // The low byte of an extended code is the plain one.
    return BY_SQLITE_CODE[error.errcode % 256] ?? 'failed';
  }
  return 'code' in error && typeof error.code === 'string'
    ? (BY_SYSTEM_CODE[error.code] ?? 'failed')
    : 'failed';
}

/** What a driver error says, without a stack: SQLite's own text, or the system call's code. */
export function causeOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}

/** A driver's error as the one that a log's callers know: what happened, why, and what to do. */
export function unavailableBecause(problem: string, error: unknown): LogUnavailable {
  if (error instanceof LogUnavailable) return error;
  return logFault(faultOf(error), `${problem}: ${causeOf(error)}`, { cause: error });
}
