import { LogUnavailable } from '../../tlog/index.ts';

/** The log has a writer already, here or in another process. Nothing is wrong with it. */
export class LogLocked extends LogUnavailable {}

/** What a driver error says, without a stack: SQLite's own text, or the system call's code. */
export function causeOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}
