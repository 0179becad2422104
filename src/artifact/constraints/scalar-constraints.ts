import type { Candidate } from './candidate.ts';
import type { Constraint } from './constraint.ts';
import type { Work } from './work.ts';

/** `exact`: one scalar. */
export class Exact implements Constraint {
  readonly type = 'exact';
  readonly value: Candidate;
  readonly key: string;

  constructor(value: Candidate, key: string) {
    this.value = value;
    this.key = key;
  }

  accepts(candidate: Candidate): boolean {
    return candidate.key === this.key;
  }

  subsumes(child: Constraint): boolean {
    return child instanceof Exact && child.key === this.key;
  }
}

/** One end of a range. */
export interface Bound {
  readonly value: number;
  readonly inclusive: boolean;
}

/** `range`: the numbers between two bounds, each of which may be missing. */
export class Range implements Constraint {
  readonly type = 'range';
  readonly min: Bound | undefined;
  readonly max: Bound | undefined;

  constructor(min: Bound | undefined, max: Bound | undefined) {
    this.min = min;
    this.max = max;
  }

  accepts({ value }: Candidate): boolean {
    if (typeof value !== 'number' || !Number.isFinite(value)) return false;
    const { min, max } = this;
    if (min !== undefined && !(value > min.value || (min.inclusive && value === min.value))) return false;
    return max === undefined || value < max.value || (max.inclusive && value === max.value);
  }

  subsumes(child: Constraint): boolean {
    if (child instanceof Exact) return this.accepts(child.value);
    if (!(child instanceof Range)) return false;
    return isTighter(child.min, this.min, 1) && isTighter(child.max, this.max, -1);
  }
}

/** Whether a derived bound is at least as restrictive; `sign` is 1 for lower bounds and -1 for upper ones. */
function isTighter(derived: Bound | undefined, parent: Bound | undefined, sign: 1 | -1): boolean {
  if (parent === undefined) return true;
  if (derived === undefined) return false;
  if (derived.value === parent.value) return parent.inclusive || !derived.inclusive;
  return sign === 1 ? derived.value > parent.value : derived.value < parent.value;
}

/** `wildcard`: any value. */
export class Wildcard implements Constraint {
  readonly type = 'wildcard';

  accepts(): boolean {
    return true;
  }

  subsumes(_child: Constraint, work: Work): boolean {
    return work.spend(1);
  }
}
