import type { Candidate } from './candidate.ts';
import type { Constraint } from './constraint.ts';
import { Exact } from './scalar-constraints.ts';
import type { Work } from './work.ts';

/** `one_of`: a member of a non-empty set. */
export class OneOf implements Constraint {
  readonly type = 'one_of';
  /** By JCS text. */
  readonly values: ReadonlyMap<string, Candidate>;

  constructor(values: ReadonlyMap<string, Candidate>) {
    this.values = values;
  }

  accepts({ key }: Candidate): boolean {
    return key !== undefined && this.values.has(key);
  }

  subsumes(child: Constraint, work: Work): boolean {
    if (child instanceof Exact) return this.values.has(child.key);
    return child instanceof OneOf && includesAll(this.values, child.values, work);
  }
}

/** `not_one_of`: anything but a member of a set. */
export class NotOneOf implements Constraint {
  readonly type = 'not_one_of';
  readonly excluded: ReadonlySet<string>;

  constructor(excluded: ReadonlySet<string>) {
    this.excluded = excluded;
  }

  accepts({ key }: Candidate): boolean {
    return key !== undefined && !this.excluded.has(key);
  }

  subsumes(child: Constraint, work: Work): boolean {
    return child instanceof NotOneOf && includesAll(child.excluded, this.excluded, work);
  }
}

/** `contains`: an array that holds every required element. */
export class Contains implements Constraint {
  readonly type = 'contains';
  readonly required: ReadonlySet<string>;

  constructor(required: ReadonlySet<string>) {
    this.required = required;
  }

  accepts({ elementKeys }: Candidate): boolean {
    return elementKeys !== undefined && holdsEvery(elementKeys, this.required);
  }

  subsumes(child: Constraint, work: Work): boolean {
    return child instanceof Contains && includesAll(child.required, this.required, work);
  }
}

/** `subset`: an array of allowed elements only. */
export class Subset implements Constraint {
  readonly type = 'subset';
  readonly allowed: ReadonlySet<string>;

  constructor(allowed: ReadonlySet<string>) {
    this.allowed = allowed;
  }

  accepts({ elementKeys }: Candidate): boolean {
    return elementKeys !== undefined && holdsEvery(this.allowed, elementKeys);
  }

  subsumes(child: Constraint, work: Work): boolean {
    return child instanceof Subset && includesAll(this.allowed, child.allowed, work);
  }
}

type Keyed = ReadonlyMap<string, unknown> | ReadonlySet<string>;

/** {@link holdsEvery} within the budget. */
function includesAll(larger: Keyed, smaller: Keyed, work: Work): boolean {
  return work.spend(smaller.size) && holdsEvery(larger, smaller);
}

/** Costs at most the size of the larger: what cannot fit is refused unseen. */
function holdsEvery(larger: Keyed, smaller: Keyed): boolean {
  if (smaller.size > larger.size) return false;
  for (const key of smaller.keys()) if (!larger.has(key)) return false;
  return true;
}
