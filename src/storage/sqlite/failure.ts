import { LogUnavailable } from '../../tlog/log.ts';

const SQLITE_BUSY = 5;

/** The log has a writer already, here or in another process. Nothing is wrong with it. */
export class LogLocked extends LogUnavailable {
  constructor(message: string) {
    super(message, { fault: 'locked' });
  }
}

/** Whether SQLite gave up waiting for another connection's lock. Told by its code: a path may contain any word. */
export function isBusy(error: unknown): boolean {
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return false;
  // The low byte of an extended code is the plain one.
  return error.errcode % 256 === SQLITE_BUSY;
}
