import type { JsonObject } from '../../codec/index.ts';

/**
 * Letter case taken away as widely as any parser does (Go's `encoding/json` folds `ſ` to `s` and the Kelvin sign
 * to `k`), so that `Name`, `NAME` and `name` compare equal.
 */
function fold(name: string): string {
  return name.toUpperCase().toLowerCase();
}

const foldedSets = new WeakMap<readonly string[], ReadonlyMap<string, string>>();

function foldedSetOf(names: readonly string[]): ReadonlyMap<string, string> {
  let folded = foldedSets.get(names);
  if (folded === undefined) {
    folded = new Map(names.map((name) => [fold(name), name]));
    foldedSets.set(names, folded);
  }
  return folded;
}

/** Whether a member's name differs from one of `names` (a constant array) in letter case only. */
export function findAlias(object: JsonObject, names: readonly string[]): boolean {
  const folded = foldedSetOf(names);
  for (const member of Object.keys(object)) {
    const known = folded.get(fold(member));
    if (known !== undefined && known !== member) return true;
  }
  return false;
}

/** Whether two members of one object differ in letter case only. */
export function hasCollidingMembers(object: JsonObject): boolean {
  const members = Object.keys(object);
  return new Set(members.map(fold)).size !== members.length;
}
