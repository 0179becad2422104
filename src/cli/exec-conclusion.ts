import { type Denial, isDenial } from '../denial/index.ts';
import type { Confiner, ExecOutcome } from '../enforce/exec/index.ts';
import { CliError, type ExitCode } from './cli-error.ts';
import type { FoundProgram } from './exec-program.ts';

/** As other programs that run programs have it (env, nohup, docker run). */
export const DENIED = 126;
/** As shells have it: 128 and SIGKILL's number. */
export const KILLED = 137;

/** What `writ exec` ends with: the program's own exit code, or why there is none. */
export function conclude(
  outcome: ExecOutcome,
  { found, confiner }: { readonly found: FoundProgram; readonly confiner: Confiner | Denial },
): ExitCode {
  if (outcome.verdict === 'permit') {
    if (outcome.isInterrupted) return KILLED;
    const { exitCode } = outcome.end;
    if (exitCode !== undefined) return exitCode;
    throw new CliError({
      code: 'exec.unknown',
      message: `how ${found.name} ended is not known`,
      hint: `writ receipt show ${outcome.executionId}`,
    });
  }
  const { denial, executionId, wasStarted, refusal } = outcome;
  const { code, reason } = denial;
  throw new CliError({
    code,
    message: `${wasStarted ? 'stopped' : 'denied'}: ${reason.text} (receipt ${executionId})`,
    hint: hintFor(denial, found, confiner) ?? refusal?.detail ?? `writ receipt show ${executionId}`,
    exitCode: DENIED,
  });
}

/** What whoever runs this can see for themselves. */
function hintFor(
  { code }: Denial,
  { name, isAdopted, program, stored }: FoundProgram,
  confiner: Confiner | Denial,
): string | undefined {
  if (isDenial(confiner)) return confiner.detail;
  if (!isAdopted) return 'adopt it first: writ exec adopt NAME -- PROGRAM';
  return code === 'environment.tool_changed' || program.digest !== stored.digest
    ? `the program is not the one that was adopted; if that is meant: writ exec adopt ${name} …`
    : undefined;
}
