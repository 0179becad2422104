interface Requirement {
  readonly role: string;
  readonly threshold: number;
}

interface Consent {
  readonly approver: string;
  readonly role: string;
}

/**
 * Assigns people to places: each role has as many as its threshold, and each person takes one place at most, in a role they
 * consented in. A bipartite matching by augmenting paths; there are a few dozen people at most.
 *
 * @returns a requirement whose places cannot all be taken; undefined where they can.
 */
export function assignPeople<R extends Requirement>(
  requirements: readonly R[],
  consents: readonly Consent[],
): R | undefined {
  const rolesOf = new Map<string, Set<string>>();
  for (const { approver, role } of consents) {
    const roles = rolesOf.get(approver) ?? new Set();
    rolesOf.set(approver, roles.add(role));
  }
  /** Person → the role they stand for. */
  const placed = new Map<string, string>();

  const place = (role: string, tried: Set<string>): boolean => {
    for (const [person, roles] of rolesOf) {
      if (!roles.has(role) || tried.has(person)) continue;
      tried.add(person);
      const other = placed.get(person);
      // Somebody who stands for another role may be replaced there.
      if (other === role || (other !== undefined && !place(other, tried))) continue;
      placed.set(person, role);
      return true;
    }
    return false;
  };

  for (const requirement of requirements) {
    const { role, threshold } = requirement;
    if (!(threshold <= rolesOf.size)) return requirement;
    for (let seat = 0; seat < threshold; seat += 1) {
      if (!place(role, new Set())) return requirement;
    }
  }
  return undefined;
}
