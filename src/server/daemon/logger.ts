import type { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';

export type { Logger };

/** JSON lines for operators. What requests carry (arguments, results, artifacts) is never among them. */
export function createLogger(stream: Writable, level = 'info'): Logger {
  return pino({ level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}
