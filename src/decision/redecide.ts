import { checkAudience, checkWindows, recheckChain, type VerifiedChain } from '../artifact/index.ts';
import type { Digest, JsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import type { LineagePosition, ParentFact } from '../lineage/index.ts';
import type { Decision } from './decide.ts';
import { type ProvenWorkload, recheckWorkload } from './proven-workload.ts';
import type { Action } from './request.ts';
import type { Snapshot } from './snapshot.ts';
import { askPolicy, checkIdentity, checkRevocation, checkRuntime } from './standing.ts';

/** What a permitted execution stands on for as long as it runs: what its decision verified and cannot change any more. */
export interface Ground {
  readonly tool: string;
  readonly args: JsonObject;
  /** Digest of the tool's definition when the execution began. */
  readonly toolDigest: Digest | undefined;
  readonly chain: VerifiedChain;
  /** The workload that the caller proved to be. */
  readonly workload: ProvenWorkload | undefined;
  readonly lineage: LineagePosition;
  readonly parent: ParentFact | undefined;
}

/** The ground of a permit; undefined where the findings are not those of one. */
export function groundOf(
  { tool, args, toolDigest }: Action,
  findings: Decision['findings'],
): Ground | undefined {
  const { chain, lineage, parent, workload } = findings;
  if (chain === undefined || lineage === undefined) return undefined;
  return { tool, args, toolDigest, chain, workload, lineage, parent };
}

/**
 * Whether an execution that began under a permit still stands (DESIGN §5, continuous verification): artifact,
 * environment, revocation and policy, and of identity and scope what time and governance can change (whom the keys belong
 * to, the use windows). What was of the moment it began is not asked again: request, proof, counters, lineage, approvals.
 *
 * Pure, and never throws: whatever goes wrong is a denial. The same as `checkAuthority` and then `checkPolicy`.
 */
export function redecide(ground: Ground, snapshot: Snapshot): Denial | undefined {
  return checkAuthority(ground, snapshot) ?? checkPolicy(ground, snapshot);
}

/** All but policy: the same for every execution of one chain and tool, whatever its arguments. */
export function checkAuthority(
  { chain, tool, toolDigest, workload }: Pick<Ground, 'chain' | 'tool' | 'toolDigest' | 'workload'>,
  snapshot: Snapshot,
): Denial | undefined {
  try {
    const { governance, nowSeconds, limits, audiences } = snapshot;
    const identity = () => {
      const agent = checkIdentity(chain, governance, workload);
      return isDenial(agent) ? agent : undefined;
    };
    return (
      recheckChain(chain, {
        anchors: governance.anchors,
        nowSeconds,
        ...(limits ? { limits } : {}),
      }) ??
      checkAudience(chain, audiences, { required: true }) ??
      recheckWorkload(workload, snapshot) ??
      identity() ??
      checkWindows(chain, nowSeconds) ??
      checkRuntime(chain, tool, currentDigest(tool, toolDigest, snapshot), snapshot) ??
      checkRevocation(chain, snapshot, workload)
    );
  } catch {
    return deny('internal.unexpected', 'an execution could not be decided again');
  }
}

/** Stage 8, for whoever the keys belong to now. */
export function checkPolicy(ground: Ground, snapshot: Snapshot): Denial | undefined {
  try {
    const agent = checkIdentity(ground.chain, snapshot.governance, ground.workload);
    if (isDenial(agent)) return agent;
    const permit = askPolicy({ ...ground, agent }, snapshot);
    return isDenial(permit) ? permit : undefined;
  } catch {
    return deny('internal.unexpected', 'an execution could not be decided again');
  }
}

/** The definition as it was measured last; where tools are not measured, as it was when the execution began. */
function currentDigest(
  tool: string,
  atStart: Digest | undefined,
  { measurement }: Snapshot,
): Digest | undefined {
  const measured = measurement?.components.find(({ kind, name }) => kind === 'tool' && name === tool);
  return measured?.digest ?? atStart;
}
