import { encodeBase64url } from '../codec/index.ts';
import {
  type Action,
  type ApprovalFindings,
  type Decision,
  type ProvenWorkload,
  type Snapshot,
  vouchedFor,
} from '../decision/index.ts';
import { isDenial, type ReasonCode } from '../denial/index.ts';
import { REQUEST_SECONDS } from '../governance/index.ts';
import { type Preview, previewOf } from '../policy/index.ts';
import {
  type ApprovalsSeen,
  artifactFactsOf,
  DECISION_RECEIPT,
  type DecisionReceipt,
  type EvidenceKind,
  OUTCOME_RECEIPT,
  type OutcomeReceipt,
  type ProcessReport,
  saltedDigest,
  saltProcess,
  type WorkloadFacts,
} from '../receipt/index.ts';
import type { GovernanceView } from './governance-follower.ts';

export interface ReceiptContext {
  readonly id: string;
  readonly atMs: number;
  readonly log: string;
  readonly salt: Uint8Array;
  readonly view: Pick<GovernanceView, 'size' | 'rootHash' | 'checkedAtMs'>;
  /** Entries of the log when the decision was made. */
  readonly logSize: number;
  readonly evidence: Readonly<Partial<Record<EvidenceKind, string>>>;
}

/** The receipt of a decision: what was asked, what each stage said, and on which knowledge. */
export function decisionReceiptOf(
  action: Action,
  snapshot: Snapshot,
  { answer, stages, findings }: Decision,
  { id, atMs, log, salt, view, logSize, evidence }: ReceiptContext,
): DecisionReceipt {
  const { chain, proof, agent, workload, lineage, policy, request } = findings;
  const { measurement } = snapshot;
  const vouched = vouchedFor(chain, snapshot);
  return {
    type: DECISION_RECEIPT,
    id,
    atMs,
    log,
    audiences: snapshot.audiences,
    tool: request === undefined ? '' : action.tool,
    arguments: saltedDigest(salt, request?.argsJcs ?? ''),
    ...previewMember(argumentsPreview(action, snapshot, proof !== undefined)),
    verdict: isDenial(answer) ? 'deny' : 'permit',
    ...(isDenial(answer) ? { code: answer.code, detail: answer.detail } : {}),
    stages,
    ...(chain ? { artifact: artifactFactsOf(chain) } : {}),
    ...(proof ? { proof: { jti: proof.jti, iatSeconds: proof.iatSeconds } } : {}),
    ...(agent === undefined ? {} : { agent }),
    ...(workload === undefined ? {} : { workload: workloadFacts(workload) }),
    ...(measurement && vouched
      ? {
          environment: {
            digest: measurement.digest,
            assurance: vouched.assurance,
            measuredAtSeconds: measurement.measuredAtSeconds,
          },
        }
      : {}),
    ...(action.toolDigest === undefined ? {} : { toolDefinition: action.toolDigest }),
    ...(snapshot.policy
      ? {
          policy: {
            id: snapshot.policy.bundle.id,
            digest: snapshot.policy.bundle.digest,
            ...(policy ? { determining: policy.determining } : {}),
          },
        }
      : {}),
    governance: { size: view.size, rootHash: view.rootHash, checkedAtMs: view.checkedAtMs },
    bounds: {
      maxStalenessSeconds: snapshot.maxStalenessSeconds,
      maxLineageDepth: snapshot.maxLineageDepth,
      logSize,
    },
    ...(lineage
      ? {
          lineage: {
            ...(proof?.parent === undefined ? {} : { parent: proof.parent }),
            root: lineage.rootExecutionId ?? id,
            depth: lineage.depth,
          },
        }
      : {}),
    ...(findings.approvals === undefined
      ? {}
      : { approvals: approvalsSeen(findings.approvals, isDenial(answer) ? answer.code : undefined, atMs) }),
    evidence,
  };
}

function workloadFacts({ id, kind, credential, expSeconds, bundle }: ProvenWorkload): WorkloadFacts {
  return { id, kind, credential, expSeconds, bundle: bundle.digest };
}

/** A denial for want of approvals is the request for them. */
function approvalsSeen(
  { actionDigest, people, required, withinSeconds = REQUEST_SECONDS, given }: ApprovalFindings,
  code: ReasonCode | undefined,
  atMs: number,
): ApprovalsSeen {
  const isRequest = code === 'approval.required' || code === 'approval.expired';
  return {
    action: actionDigest,
    ...(people && { people }),
    required,
    given: given.map(({ nonce, approver, role, decision }) => ({ nonce, approver, role, decision })),
    ...(isRequest ? { requestExpiresAtMs: atMs + withinSeconds * 1000 } : {}),
  };
}

/** Only of calls whose proof was verified: nobody without the key puts text of theirs into a log. */
function argumentsPreview(
  { tool, args }: Action,
  { policy }: Snapshot,
  proven: boolean,
): Preview | undefined {
  const rule = proven ? policy?.bundle.redaction?.forTool(tool) : undefined;
  return rule && previewOf(args, rule.arguments);
}

function previewMember(preview: Preview | undefined): { readonly preview?: Preview } {
  return preview === undefined ? {} : { preview };
}

export interface OutcomeFacts {
  readonly id: string;
  readonly atMs: number;
  readonly log: string;
  readonly salt: Uint8Array;
  readonly decisionIndex: number;
  readonly decisionLeafHash: Uint8Array;
  readonly durationMs: number;
  readonly status: OutcomeReceipt['status'];
  readonly code?: OutcomeReceipt['code'];
  readonly note?: string;
  /** What came back; its salted digest and size are kept. */
  readonly result?: Uint8Array;
  /** What redaction rules let be shown of it. */
  readonly preview?: Preview | undefined;
  readonly process?: ProcessReport;
}

export function outcomeReceiptOf(facts: OutcomeFacts): OutcomeReceipt {
  const { id, atMs, log, salt, result, status, code, note, process, durationMs } = facts;
  return {
    type: OUTCOME_RECEIPT,
    id,
    atMs,
    log,
    decision: { index: facts.decisionIndex, leafHash: encodeBase64url(facts.decisionLeafHash) },
    status,
    ...(code === undefined ? {} : { code }),
    ...(note === undefined ? {} : { note }),
    ...(result === undefined
      ? {}
      : { result: { digest: saltedDigest(salt, result), bytes: result.byteLength } }),
    ...previewMember(facts.preview),
    ...(process === undefined ? {} : { process: saltProcess(process, salt) }),
    durationMs: Math.round(durationMs * 1000) / 1000,
  };
}
