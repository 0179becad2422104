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

/** Steps of {@link Work} that one check or match by an extension type counts for: ten, and one for 16 characters. */
export function costOf(text: string): number {
  return 10 + (text.length >> 4);
}
