import type { Candidate } from './candidate.ts';
import type { Work } from './work.ts';

/** AAT-02 §3.4. */
export const CORE_CONSTRAINT_TYPES = [
  'exact',
  'range',
  'one_of',
  'not_one_of',
  'contains',
  'subset',
  'wildcard',
  'all',
  'any',
] as const;

/** Writ's registrations (AAT-02 §5.1): `spec/artifact-constraints.md`. */
export const EXTENSION_CONSTRAINT_TYPES = [
  'path_containment',
  'url_containment',
  'string_pattern',
  'argv',
] as const;

export type ConstraintType =
  | (typeof CORE_CONSTRAINT_TYPES)[number]
  | (typeof EXTENSION_CONSTRAINT_TYPES)[number];

/**
 * A well-formed constraint, parsed once into the form its checks are fastest in. Use {@link checkConstraint} and
 * {@link subsumes} from outside this folder.
 */
export interface Constraint {
  readonly type: ConstraintType;

  /** The type's `check` predicate. Never throws. */
  accepts(candidate: Candidate): boolean;

  /**
   * INVARIANT (AAT-02 §5.1, soundness): true only if every value that `child` accepts is accepted by this. Pairs of
   * types that no rule names are refused.
   */
  subsumes(child: Constraint, work: Work): boolean;
}
