import { LogUnavailable } from '../../tlog/index.ts';

const SQLITE_BUSY = 5;

/** The log has a writer already, here or in another process. Nothing is wrong with it. */
export class LogLocked extends LogUnavailable {}

/** Whether SQLite gave up waiting for another connection's lock. Told by its code: a path may contain any word. */
export function isBusy(error: unknown): boolean {
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return false;
  // The low byte of an extended code is the plain one.
  return error.errcode % 256 === SQLITE_BUSY;
}

/** What a driver error says, without a stack: SQLite's own text, or the system call's code. */
export function causeOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}
