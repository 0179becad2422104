import type { Command } from 'commander';
import type { ExitCode } from './cli-error.ts';
import type { Session } from './session.ts';

// biome-ignore lint/suspicious/noConfusingVoidType: most commands end without saying more than "done"
type Ending = ExitCode | void;

/** What a command does, given its arguments and then its options. */
export type Action<A extends unknown[]> = (session: Session, ...args: A) => Ending | Promise<Ending>;

/** Turns it into what commander calls. */
export type Act = <A extends unknown[]>(action: Action<A>) => (...args: [...A, Command]) => Promise<void>;

/** What each command's file exports: its arguments, options, help and action. */
export type Define = (command: Command, act: Act) => void;

/** Examples under a command's help; each line is a command or, indented, what it shows. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

/** Gathers an option that may be given several times. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}
