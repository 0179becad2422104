/** An approval that a permit depends on: so many distinct people of a role. */
export interface ApprovalRequirement {
  readonly role: string;
  readonly threshold: number;
}

const APPROVAL = /^([a-z][a-z0-9_-]{0,63}):([1-9]\d?)$/;
const MAX_APPROVALS = 16;

/** Parses `@approval("role:threshold, …")`; undefined when malformed or a role is named twice. */
export function parseApprovals(annotation: string): readonly ApprovalRequirement[] | undefined {
  const requirements: ApprovalRequirement[] = [];
  const parts = annotation.split(',');
  if (parts.length > MAX_APPROVALS) return undefined;
  for (const part of parts) {
    const [, role, threshold] = APPROVAL.exec(part.trim()) ?? [];
    if (role === undefined || threshold === undefined) return undefined;
    if (requirements.some((other) => other.role === role)) return undefined;
    requirements.push({ role, threshold: Number(threshold) });
  }
  return requirements;
}

/** Every role asked for, each with its highest threshold, in order of role. */
export function mergeApprovals(lists: Iterable<readonly ApprovalRequirement[]>): ApprovalRequirement[] {
  const thresholds = new Map<string, number>();
  for (const list of lists) {
    for (const { role, threshold } of list) {
      thresholds.set(role, Math.max(threshold, thresholds.get(role) ?? 0));
    }
  }
  return [...thresholds]
    .map(([role, threshold]) => ({ role, threshold }))
    .sort((left, right) => (left.role < right.role ? -1 : 1));
}
