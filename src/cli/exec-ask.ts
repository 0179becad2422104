import type { Denial } from '../denial/index.ts';
import {
  accountOf,
  type BoundInput,
  type Confiner,
  type ExecAsk,
  type Program,
} from '../enforce/exec/index.ts';
import { type ExecOptions, environmentOf, limitsOf } from './exec-options.ts';
import type { StoredProgram } from './program-file.ts';
import type { Session } from './session.ts';

/** What of a command line is known before its options are read. */
export interface Asked {
  readonly program: Program;
  /** Without the program's name. */
  readonly argv: readonly string[];
  /** As it was adopted. */
  readonly stored: StoredProgram | undefined;
  readonly confiner: Confiner | Denial;
  /** Where standard input is bound. */
  readonly input: BoundInput | undefined;
}

/** What a call asks for: what its options name, else what the program was adopted with. */
export function askOf(
  { surroundings }: Session,
  { program, argv, stored, confiner, input }: Asked,
  options: ExecOptions & { readonly cwd?: string },
): ExecAsk {
  return {
    program,
    argv,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    environment: new Map([
      ...Object.entries(stored?.env ?? {}),
      ...environmentOf(options.env, surroundings.environment),
    ]),
    read: options.read ?? stored?.read ?? [],
    write: options.write ?? stored?.write ?? [],
    network: options.net ?? stored?.network ?? [],
    limits: limitsOf(options, stored?.limits),
    ...(input === undefined ? {} : { stdinDigest: input.digest }),
    account: accountOf(confiner),
  };
}
