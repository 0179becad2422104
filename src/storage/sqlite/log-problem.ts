import type { LogFault } from '../../tlog/index.ts';

/** One thing that is wrong, and where: `entry 17`, a tile's path, `checkpoint` or `database`. */
export interface LogProblem {
  /** What to do about it stands in `LOG_FAULTS`. */
  readonly code: LogFault;
  readonly where: string;
  readonly detail: string;
}

/** Takes down one problem. */
export type ReportProblem = (code: LogFault, where: string, detail: string) => void;
