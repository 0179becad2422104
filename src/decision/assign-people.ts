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
  return findVacancies(requirements, consents)[0]?.requirement;
}

/** The requirements whose places cannot all be taken, in their order, each with how many people more it takes. */
export function findVacancies<R extends Requirement>(
  requirements: readonly R[],
  consents: readonly Consent[],
): { readonly requirement: R; readonly people: number }[] {
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

  return requirements.flatMap((requirement) => {
    const { role, threshold } = requirement;
    let seated = 0;
    while (seated < threshold && place(role, new Set())) seated += 1;
    return seated < threshold ? [{ requirement, people: threshold - seated }] : [];
  });
}
