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
  const digests = new Map<string, Digest>();
  const measured = new Set<string>();
  /** By label, the first number that is not known to be taken: many of one name do not look through each other. */
  const numbers = new Map<string, number>();
  const joined: Component[] = [];
  for (const original of lists.flat()) {
    const label = componentLabel(original);
    const same = `${label}\n${original.digest}`;
    if (measured.has(same)) continue;
    measured.add(same);
    let component = original;
    let taken = digests.get(label);
    for (
      let number = numbers.get(label) ?? 2;
      taken !== undefined && taken !== original.digest;
      number += 1
    ) {
      component = { ...original, name: `${original.name}#${number}` };
      taken = digests.get(componentLabel(component));
      numbers.set(label, number + 1);
    }
    if (taken !== undefined) continue;
    digests.set(componentLabel(component), component.digest);
    joined.push(component);
  }
  return joined.sort(compareComponents);
}
