import type { Denial } from '../denial/index.ts';

/** 0 done or permit, 1 denied or not verified or failed, 2 wrong usage; `writ exec` passes on its program's. */
export type ExitCode = number;

export interface CliProblem {
  /** `usage`, a reason code, or what kind of thing went wrong; programs may rely on it. */
  readonly code: string;
  readonly message: string;
  /** What to do next, as a sentence or a command. */
  readonly hint?: string;
  /** Where the command has codes of its own. */
  readonly exitCode?: ExitCode;
}

/** Ends a command: the message for people, the code for programs, never a stack trace. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly problem: CliProblem;

  constructor(problem: CliProblem) {
    super(problem.message);
    this.problem = problem;
  }

  get exitCode(): ExitCode {
    return this.problem.exitCode ?? (this.problem.code === 'usage' ? 2 : 1);
  }
}

/** The command was called wrongly. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError({ code: 'usage', message, ...(hint === undefined ? {} : { hint }) });
}

export function failure(code: string, message: string, hint?: string): CliError {
  return new CliError({ code, message, ...(hint === undefined ? {} : { hint }) });
}

/** A denial met on the way, told to the operator with its detail. */
export function denied(denial: Denial, hint?: string): CliError {
  return failure(denial.code, denial.detail, hint);
}
