import { type Digest, isDigest } from '../codec/index.ts';

/** One measured part of a runtime (RFC 9334 §2.1, a claim about a target environment). */
export interface Component {
  /** What sort of part: `node`, `writ`, `upstream`, `package`, `lockfile`, `tool`; artifacts may name others. */
  readonly kind: string;
  /** Which one of its kind. */
  readonly name: string;
  readonly digest: Digest;
  /** What measured it, and when (Unix seconds). Told with the measurement, and no part of its digest. */
  readonly collector?: string;
  readonly at?: number;
}

const KIND = /^[a-z][a-z0-9._-]{0,63}$/;
const MAX_NAME_CHARACTERS = 1024;

export function isComponentKind(value: unknown): value is string {
  return typeof value === 'string' && KIND.test(value);
}

export function isComponentName(value: unknown): value is string {
  return (
    typeof value === 'string' && value !== '' && value.length <= MAX_NAME_CHARACTERS && value.isWellFormed()
  );
}

export function isComponent(value: Component): boolean {
  const { kind, name, digest, collector, at } = value;
  return (
    isComponentKind(kind) &&
    isComponentName(name) &&
    isDigest(digest) &&
    // Called as kinds are.
    (collector === undefined || isComponentKind(collector)) &&
    (at === undefined || (Number.isSafeInteger(at) && at >= 0))
  );
}

/** The same, with who measured it, and when. */
export function collectedBy(collector: string, at: number, components: readonly Component[]): Component[] {
  return components.map((component) => ({ ...component, collector, at }));
}

/** Order by kind, then name, by UTF-16 code units (as JCS orders members). */
export function compareComponents(left: Component, right: Component): number {
  if (left.kind !== right.kind) return left.kind < right.kind ? -1 : 1;
  if (left.name !== right.name) return left.name < right.name ? -1 : 1;
  return 0;
}

/** How a component is named in a denial's detail. */
export function componentLabel({ kind, name }: Pick<Component, 'kind' | 'name'>): string {
  return `${kind}/${name}`;
}

/**
 * The components of tool definitions: kind `tool`, name the tool id. Ids that cannot name a component are left out, so
 * that a binding on them does not hold.
 */
export function toolComponents(definitions: ReadonlyMap<string, Digest>): Component[] {
  return [...definitions]
    .filter(([id, digest]) => isComponentName(id) && isDigest(digest))
    .map(([name, digest]) => ({ kind: 'tool', name, digest }));
}

/**
 * Components of several collectors as one list. What was measured twice counts once; of two things with one name (a
 * script called like its interpreter, a server that lives in Writ's own package) the second gets a number.
 */
export function joinComponents(...lists: readonly (readonly Component[])[]): Component[] {
  const digests = new Map<string, string>();
  const joined: Component[] = [];
  for (const original of lists.flat()) {
    let component = original;
    for (let number = 2; ; number += 1) {
      const known = digests.get(componentLabel(component));
      if (known === undefined) {
        digests.set(componentLabel(component), component.digest);
        joined.push(component);
        break;
      }
      if (known === component.digest) break;
      component = { ...original, name: `${original.name}#${number}` };
    }
  }
  return joined.sort(compareComponents);
}
