export { Daemon, type DaemonOptions } from './daemon.ts';
export { createLogger, type Logger } from './logger.ts';
