export {
  CORE_CONSTRAINT_TYPES,
  type Constraint,
  type ConstraintType,
  EXTENSION_CONSTRAINT_TYPES,
} from './constraint.ts';
export {
  type ConstraintEntry,
  type ConstraintMap,
  checkConstraint,
  findArgumentViolation,
  findMapAmplification,
  parseConstraintMap,
  subsumes,
} from './constraint-map.ts';
export {
  type ConstraintLimits,
  DEFAULT_MAX_CONSTRAINT_DEPTH,
  parseConstraint,
} from './parse-constraint.ts';
