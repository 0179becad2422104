import type { Constraint } from './constraint.ts';
import { Exact } from './scalar-constraints.ts';
import { OneOf } from './set-constraints.ts';
import type { Work } from './work.ts';

/**
 * The cross-type rule that every extension type registers: it subsumes an `exact` whose value it accepts, and a
 * `one_of` all of whose values it accepts.
 */
export function acceptsEveryListedValue(parent: Constraint, child: Constraint, work: Work): boolean {
  if (child instanceof Exact) return work.spend(costOf(child.key)) && parent.accepts(child.value);
  if (!(child instanceof OneOf)) return false;
  for (const [key, value] of child.values) {
    if (!work.spend(costOf(key)) || !parent.accepts(value)) return false;
  }
  return true;
}

/** Reading 16 characters counts as one step of {@link Work}. */
export function costOf(text: string): number {
  return 1 + (text.length >> 4);
}
