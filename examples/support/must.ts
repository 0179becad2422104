import { type Denial, isDenial } from '../../src/denial/index.ts';

/** For what a story takes for granted: where it does not hold, the story ends there. */
export function must<T>(value: T): Exclude<T, Denial> {
  if (isDenial(value)) throw new Error(`${value.code}: ${value.detail}`);
  return value as Exclude<T, Denial>;
}
