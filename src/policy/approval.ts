/** An approval that a permit depends on: so many distinct people of a role. */
export interface ApprovalRequirement {
  readonly role: string;
  readonly threshold: number;
  /** How long after it was made a request may be decided and used, where that is less than usual. */
  readonly withinSeconds?: number;
}

const APPROVAL = /^([a-z][a-z0-9_-]{0,63}):([1-9]\d?)(?:\/([1-9]\d{0,2})([sm]))?$/;
/** A request stands for 15 minutes; a policy can only shorten that. */
const MAX_WITHIN_SECONDS = 899;
const MAX_APPROVALS = 16;

/** Parses `@approval("role:threshold, role:threshold/5m, …")`; undefined when malformed or a role is named twice. */
export function parseApprovals(annotation: string): readonly ApprovalRequirement[] | undefined {
  const requirements: ApprovalRequirement[] = [];
  const parts = annotation.split(',');
  if (parts.length > MAX_APPROVALS) return undefined;
  for (const part of parts) {
    const [, role, threshold, count, unit] = APPROVAL.exec(part.trim()) ?? [];
    if (role === undefined || threshold === undefined) return undefined;
    if (requirements.some((other) => other.role === role)) return undefined;
    const withinSeconds = count === undefined ? undefined : Number(count) * (unit === 'm' ? 60 : 1);
    if (withinSeconds !== undefined && withinSeconds > MAX_WITHIN_SECONDS) return undefined;
    requirements.push({
      role,
      threshold: Number(threshold),
      ...(withinSeconds === undefined ? {} : { withinSeconds }),
    });
  }
  return requirements;
}

/** Every role asked for, each with its highest threshold and its shortest time, in order of role. */
export function mergeApprovals(lists: Iterable<readonly ApprovalRequirement[]>): ApprovalRequirement[] {
  const merged = new Map<string, ApprovalRequirement>();
  for (const list of lists) {
    for (const { role, threshold, withinSeconds } of list) {
      const other = merged.get(role);
      const within = Math.min(withinSeconds ?? Infinity, other?.withinSeconds ?? Infinity);
      merged.set(role, {
        role,
        threshold: Math.max(threshold, other?.threshold ?? 0),
        ...(within === Infinity ? {} : { withinSeconds: within }),
      });
    }
  }
  return [...merged.values()].sort((left, right) => (left.role < right.role ? -1 : 1));
}
