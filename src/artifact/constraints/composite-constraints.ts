import type { Candidate } from './candidate.ts';
import type { Constraint } from './constraint.ts';
import type { Work } from './work.ts';

// Cost of subsumption (AAT-02 §4.5): a pair of clauses is compared only when the pair of composites around it is, so
// each (parent node, child node) pair is visited at most once; `Work` bounds the product.

/** `all`: every clause accepts. Never empty. */
export class All implements Constraint {
  readonly type = 'all';
  readonly clauses: readonly Constraint[];

  constructor(clauses: readonly Constraint[]) {
    this.clauses = clauses;
  }

  accepts(candidate: Candidate): boolean {
    return this.clauses.every((clause) => clause.accepts(candidate));
  }

  subsumes(child: Constraint, work: Work): boolean {
    if (!(child instanceof All)) return false;
    return this.clauses.every((parentClause) =>
      child.clauses.some((childClause) => work.spend(1) && parentClause.subsumes(childClause, work)),
    );
  }
}

/** `any`: at least one clause accepts. Never empty. */
export class Any implements Constraint {
  readonly type = 'any';
  readonly clauses: readonly Constraint[];

  constructor(clauses: readonly Constraint[]) {
    this.clauses = clauses;
  }

  accepts(candidate: Candidate): boolean {
    return this.clauses.some((clause) => clause.accepts(candidate));
  }

  subsumes(child: Constraint, work: Work): boolean {
    if (!(child instanceof Any)) return false;
    return child.clauses.every((childClause) =>
      this.clauses.some((parentClause) => work.spend(1) && parentClause.subsumes(childClause, work)),
    );
  }
}
