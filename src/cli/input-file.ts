import { type Denial, isDenial } from '../denial/index.ts';
import { usageError } from './cli-error.ts';

export { readInputFile, readJsonFile } from '../governor/index.ts';

/** Files that the operator names to a command: what is wrong with them is wrong usage. */
export function orUsage<T>(value: T | Denial, hint?: string): T {
  if (isDenial(value)) throw usageError(value.detail, hint);
  return value;
}
