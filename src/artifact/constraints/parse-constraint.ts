import { isJsonObject, type JsonValue } from '../../codec/index.ts';
import type { Denial } from '../../denial/index.ts';
import type { Constraint } from './constraint.ts';
import { CORE_TYPES } from './core-types.ts';
import { EXTENSION_TYPES } from './extension-types.ts';
import { hasOnly, malformed, memberOf } from './parsing.ts';
import { Work } from './work.ts';

/** MAX_CONSTRAINT_DEPTH (AAT-02 §3.4). */
export const DEFAULT_MAX_CONSTRAINT_DEPTH = 32;

/** Constraints and listed values in one map; a 64 KiB token cannot hold more. */
export const MAX_CONSTRAINT_PARTS = 65_536;

export interface ConstraintLimits {
  /** Deepest nesting of `all` and `any`; a constraint that is neither has depth 1. */
  readonly maxConstraintDepth?: number;
}

/**
 * Parses one constraint, refusing all that AAT-02 §3.4 calls not well-formed and every type that is not implemented.
 * It must not have the member `optional`, which belongs to entries of a constraint map.
 *
 * @returns `artifact.malformed` otherwise.
 */
export function parseConstraint(json: JsonValue, limits: ConstraintLimits = {}): Constraint | Denial {
  return new ConstraintParser(limits).parse(json);
}

/** Parses the constraints of one map under a common budget. */
export class ConstraintParser {
  readonly #maxDepth: number;
  readonly #work = new Work(MAX_CONSTRAINT_PARTS);

  constructor(limits: ConstraintLimits) {
    const maxDepth = limits.maxConstraintDepth ?? DEFAULT_MAX_CONSTRAINT_DEPTH;
    if (!Number.isSafeInteger(maxDepth) || maxDepth < 1) {
      throw new TypeError('maxConstraintDepth must be a positive integer');
    }
    this.#maxDepth = maxDepth;
  }

  /** @param extraMembers members that the place of this constraint allows besides those of its type. */
  parse(json: JsonValue, extraMembers: readonly string[] = []): Constraint | Denial {
    return this.#parseAt(json, 1, extraMembers);
  }

  #parseAt(json: JsonValue, depth: number, extraMembers: readonly string[]): Constraint | Denial {
    if (depth > this.#maxDepth) return malformed(`constraint nested deeper than ${this.#maxDepth}`);
    if (!this.#work.spend(1)) return malformed('constraint map too large');
    if (!isJsonObject(json)) return malformed('constraint is not an object');
    const type = memberOf(json, 'constraint_type');
    if (typeof type !== 'string') return malformed('constraint without constraint_type');
    const definition = CORE_TYPES.get(type) ?? EXTENSION_TYPES.get(type);
    if (definition === undefined) return malformed('constraint_type not implemented');
    if (!hasOnly(json, ['constraint_type', ...definition.members, ...extraMembers])) {
      return malformed(`${type} has a member it does not define`);
    }
    return definition.parse(json, {
      work: this.#work,
      clause: (clause) => this.#parseAt(clause, depth + 1, []),
      leaf: (leaf) => {
        const leafType = isJsonObject(leaf) ? memberOf(leaf, 'constraint_type') : undefined;
        if (leafType === 'all' || leafType === 'any' || leafType === 'argv') {
          return malformed(`${type} cannot hold a constraint of type ${leafType}`);
        }
        return this.#parseAt(leaf, depth, []);
      },
    });
  }
}
