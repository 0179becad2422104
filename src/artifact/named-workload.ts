import { isDenial } from '../denial/index.ts';
import { readToken } from './read-token.ts';

/** Which workload an artifact is for, as its holder reads it. */
export interface NamedWorkload {
  /** SPIFFE ID. */
  readonly id: string;
  /** Whether calls must prove it; else it is the initiator, which may be known by its key as well. */
  readonly isRequired: boolean;
}

/**
 * The workload that a chain names: the one of its last token that names any, else the initiator where the root token is all
 * there is (spec/workload.md §1). Nothing is verified.
 */
export function workloadNamedBy(chain: readonly string[]): NamedWorkload | undefined {
  const claims = chain.flatMap((compact) => {
    const token = readToken(compact);
    return isDenial(token) ? [] : [token.writ];
  });
  const named = claims.findLast(({ workload }) => workload !== undefined)?.workload;
  if (named !== undefined) return { id: named, isRequired: true };
  const [root, ...others] = claims;
  return root?.initiator?.kind === 'workload' && others.length === 0
    ? { id: root.initiator.id, isRequired: false }
    : undefined;
}
