import {
  type Counter,
  checkAudience,
  checkScope,
  requiredCounters,
  type VerifiedChain,
  type VerifiedProof,
  verifyChain,
  verifyProof,
} from '../artifact/index.ts';
import { type Denial, deny, isDenial, STAGES, type Stage } from '../denial/index.ts';
import { bySameName, bySubject } from '../governance/index.ts';
import { checkLineage, type LineagePosition, type ParentFact } from '../lineage/index.ts';
import type { PolicyPermit } from '../policy/index.ts';
import type { StageVerdict } from '../receipt/index.ts';
import {
  type ApprovalFindings,
  approvalsOfOthers,
  canonicalAction,
  checkApprovals,
  mergeRequirements,
  type Requesters,
  tightestWithin,
} from './approval.ts';
import { issuePermit, type Permit } from './permit.ts';
import { type ProvenWorkload, proveWorkload } from './proven-workload.ts';
import { type Action, type Request, requestOf } from './request.ts';
import type { Snapshot } from './snapshot.ts';
import { askPolicy, checkIdentity, checkRevocation, checkRuntime } from './standing.ts';

/** What the stages established on their way, for the receipt. Absent where no stage came that far. */
export interface Findings {
  request?: Request;
  chain?: VerifiedChain;
  proof?: VerifiedProof;
  agent?: string;
  /** The workload that the caller proved to be. */
  workload?: ProvenWorkload;
  counters?: readonly Counter[];
  parent?: ParentFact;
  lineage?: LineagePosition;
  policy?: PolicyPermit;
  /** Only where something asks for approvals. */
  approvals?: ApprovalFindings;
}

export interface Decision {
  readonly answer: Permit | Denial;
  readonly stages: Readonly<Record<Stage, StageVerdict>>;
  readonly findings: Readonly<Findings>;
}

/** Most counters that one call may move: what a log takes in one transaction. */
const MAX_COUNTERS = 64;

type StageCheck = (action: Action, snapshot: Snapshot, findings: Findings) => Denial | undefined;

/** The stages in order. Each one reads what the earlier ones found; the first denial ends the decision. */
const CHECKS: Readonly<Record<Stage, StageCheck>> = {
  request(action, _snapshot, findings) {
    const request = requestOf(action);
    if (isDenial(request)) return request;
    findings.request = request;
    const { presentation } = action;
    return isDenial(presentation) && presentation.reason.stage === 'request' ? presentation : undefined;
  },

  artifact({ presentation }, snapshot, findings) {
    if (presentation === undefined) return deny('artifact.missing', 'no presentation');
    if (isDenial(presentation)) return presentation;
    const { governance, nowSeconds, limits, cache } = snapshot;
    const chain = verifyChain(presentation.aat_chain, {
      anchors: governance.anchors,
      nowSeconds,
      ...(limits ? { limits } : {}),
      ...(cache ? { cache } : {}),
    });
    if (isDenial(chain)) return chain;
    findings.chain = chain;
    return checkAudience(chain, snapshot.audiences, { required: true });
  },

  identity(action, snapshot, findings) {
    const { tool, args, presentation } = action;
    const { chain, request } = findings;
    if (chain === undefined || request === undefined) return unreached('identity');
    const pop = presentation !== undefined && !isDenial(presentation) ? presentation.aat_pop : '';
    if (pop === '') return deny('identity.proof_missing', 'no proof of possession');
    const proof = verifyProof(pop, chain, {
      tool,
      args,
      argsJcs: request.argsJcs,
      nowSeconds: snapshot.nowSeconds,
      // The proof names this very instance: its twin beside it has a replay memory of its own.
      audiences: snapshot.audiences.slice(-1),
      audienceRequired: true,
      ...(snapshot.limits ? { limits: snapshot.limits } : {}),
    });
    if (isDenial(proof)) return proof;
    findings.proof = proof;
    const workload = proveWorkload(action, snapshot);
    if (isDenial(workload)) return workload;
    if (workload !== undefined) findings.workload = workload;
    const agent = checkIdentity(chain, snapshot.governance, workload);
    if (isDenial(agent)) return agent;
    if (agent !== undefined) findings.agent = agent;
    return undefined;
  },

  scope({ tool, args }, snapshot, findings) {
    const { chain } = findings;
    if (chain === undefined) return unreached('scope');
    const denial = checkScope(chain, tool, args, snapshot.nowSeconds);
    if (denial !== undefined) return denial;
    const counters = requiredCounters(chain, args);
    if (isDenial(counters)) return counters;
    if (counters.length > MAX_COUNTERS) {
      return deny('scope.use_exhausted', `the artifact counts more than ${MAX_COUNTERS} things`);
    }
    findings.counters = counters;
    return undefined;
  },

  environment({ tool, toolDigest }, snapshot, { chain }) {
    return chain === undefined ? unreached('environment') : checkRuntime(chain, tool, toolDigest, snapshot);
  },

  revocation(_action, snapshot, { chain, workload }) {
    return chain === undefined ? unreached('revocation') : checkRevocation(chain, snapshot, workload);
  },

  lineage(_action, snapshot, findings) {
    const { chain, proof } = findings;
    if (chain === undefined || proof === undefined) return unreached('lineage');
    const fact = proof.parent === undefined ? undefined : snapshot.findParent(proof.parent);
    const lineage = checkLineage({
      parentId: proof.parent,
      fact,
      chainTokenHashes: chain.tokens.map(({ hash }) => hash),
      maxDepth: snapshot.maxLineageDepth,
    });
    if (isDenial(lineage)) return lineage;
    findings.lineage = lineage;
    if (fact !== undefined) findings.parent = fact;
    return undefined;
  },

  policy({ tool, args }, snapshot, findings) {
    const { chain, lineage, agent, parent } = findings;
    if (chain === undefined || lineage === undefined) return unreached('policy');
    const permit = askPolicy({ tool, args, chain, agent, lineage, parent }, snapshot);
    if (isDenial(permit)) return permit;
    findings.policy = permit;
    return undefined;
  },

  approval({ tool }, snapshot, findings) {
    const { chain, policy, request, workload } = findings;
    const { governance, audiences, nowSeconds } = snapshot;
    const audience = audiences.at(-1);
    if (chain === undefined || policy === undefined || request === undefined) return unreached('approval');
    const requirements = [
      ...chain.tokens.flatMap(({ writ }) => writ.governance?.approvals ?? []),
      ...policy.approvals,
    ];
    if (requirements.length === 0) return undefined;
    const required = mergeRequirements(requirements);
    const withinSeconds = tightestWithin(requirements);
    if (governance.policy === undefined || audience === undefined) return unreached('approval');
    const { actionDigest, given } = snapshot.findApprovals(
      canonicalAction({
        ...{ tool, audience, argsJcs: request.argsJcs },
        ...{ artifactDigest: chain.digest, policyDigest: governance.policy.digest },
      }),
    );
    const people = snapshot.people === 'by-subject' ? undefined : 'same-name';
    const personOf = people === undefined ? bySubject : bySameName(governance.domain);
    const others = approvalsOfOthers(given, requestersOf(chain, snapshot, workload), personOf);
    findings.approvals = { actionDigest, people, required, withinSeconds, given: others };
    return checkApprovals(required, others, nowSeconds, withinSeconds, personOf);
  },

  replay(_action, { replay, keepsCounters }, { counters }) {
    if (counters === undefined) return unreached('replay');
    if (counters.length > 0 && !keepsCounters) {
      return deny('replay.unavailable', 'another instance keeps the counters of this audience');
    }
    if (replay === 'fresh') return undefined;
    if (replay === 'used') return deny('replay.detected', 'the proof was accepted before');
    if (replay === 'exhausted') return deny('scope.use_exhausted', 'a counter of the artifact is spent');
    return deny('replay.unavailable', 'the replay memory does not answer');
  },

  record(_action, { record }) {
    return record === 'available'
      ? undefined
      : deny('log.unavailable', 'the execution log does not accept entries');
  },
};

/**
 * The only place that says permit. Pure and deterministic: the same action and snapshot give the same answer, and
 * nothing is read but they. Never throws: whatever goes wrong is a denial.
 */
export function decide(action: Action, snapshot: Snapshot): Decision {
  const stages = Object.fromEntries(STAGES.map((stage) => [stage, 'skip'])) as Record<Stage, StageVerdict>;
  const findings: Findings = {};
  for (const stage of STAGES) {
    let denial: Denial | undefined;
    try {
      denial = CHECKS[stage](action, snapshot, findings) ?? refusalAt(stage, action);
    } catch {
      denial = deny('internal.unexpected', `stage ${stage} failed unexpectedly`);
    }
    stages[stage] = denial === undefined ? 'pass' : 'fail';
    if (denial !== undefined) return { answer: denial, stages, findings };
  }
  const { request } = findings;
  if (request === undefined || action.refusal !== undefined) {
    return { answer: unreached('record'), stages, findings };
  }
  return { answer: issuePermit(request.digest), stages, findings };
}

/** What no stage foresaw counts at the first one. */
function refusalAt(stage: Stage, { refusal }: Action): Denial | undefined {
  if (refusal === undefined) return undefined;
  const own = refusal.reason.stage === 'any' ? 'request' : refusal.reason.stage;
  return own === stage ? refusal : undefined;
}

/**
 * Who asks: the initiator, the workload that calls, everybody who holds a link of the chain, and who had it issued. None of them
 * approves it.
 */
function requestersOf(
  { root, tokens }: VerifiedChain,
  { governance, people }: Snapshot,
  workload: ProvenWorkload | undefined,
): Requesters {
  const initiator = root.writ.initiator?.id;
  return {
    subjects: [
      ...(initiator === undefined ? [] : [initiator]),
      ...(workload === undefined ? [] : [workload.id]),
      ...tokens.flatMap(({ holder }) => governance.subjectsOf(holder.thumbprint)),
    ],
    keyThumbprints: tokens.map(({ holder }) => holder.thumbprint),
    issuedBy: people === 'by-subject' ? undefined : governance.issuedArtifact(root.jti)?.actor,
  };
}

/** A stage without what an earlier one must have found: a defect of ours, and so a denial. */
function unreached(stage: Stage): Denial {
  return deny('internal.unexpected', `stage ${stage} lacks the findings of an earlier one`);
}
